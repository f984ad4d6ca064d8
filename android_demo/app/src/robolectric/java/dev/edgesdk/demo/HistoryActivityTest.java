package dev.edgesdk.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import java.io.File;
import java.io.FileNotFoundException;
import java.nio.file.Files;
import java.util.Collections;

import android.app.AlertDialog;
import android.content.Intent;
import android.net.Uri;
import android.os.Looper;
import android.os.ParcelFileDescriptor;
import android.view.View;
import android.widget.ListView;

import org.json.JSONObject;
import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.shadows.ShadowAlertDialog;

import dev.edgesdk.bench.Plan;

@RunWith(RobolectricTestRunner.class)
public final class HistoryActivityTest {
    @Rule
    public final Bench bench = new Bench();

    @Test
    public void listsReadsSharesAndDeletes() throws Exception {
        String name = measured();
        Files.write(new File(History.folder(bench.context), "20200101-000000-000.json").toPath(), new byte[] {'{'});
        HistoryActivity activity = start(2);
        ListView list = activity.findViewById(R.id.results);
        String line = (String) list.getAdapter().getItem(0);
        assertTrue(line, line.contains("digits") && line.contains("cpu, 1 threads: p50 ") && line.endsWith("valid"));
        assertTrue(((String) list.getAdapter().getItem(1)).contains("cannot be read"));
        shadowOf(list).performItemClick(0);
        AlertDialog dialog = (AlertDialog) ShadowAlertDialog.getLatestDialog();
        assertTrue(shadowOf(dialog).getMessage().toString().contains("warm-up: 2 queries"));
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        shadowOf(Looper.getMainLooper()).idle();
        Intent chooser = shadowOf(activity).getNextStartedActivity();
        Intent sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
        assertEquals(ResultProvider.of(activity, name), sent.getParcelableExtra(Intent.EXTRA_STREAM, Uri.class));
        assertTrue((sent.getFlags() & Intent.FLAG_GRANT_READ_URI_PERMISSION) != 0);
        shadowOf(list).performItemClick(0);
        ((AlertDialog) ShadowAlertDialog.getLatestDialog()).getButton(AlertDialog.BUTTON_NEGATIVE).performClick();
        shadowOf(Looper.getMainLooper()).idle();
        assertFalse(new History(activity).names().contains(name));
    }

    @Test
    public void nothingYet() {
        assertEquals(View.VISIBLE, start(0).findViewById(R.id.none).getVisibility());
    }

    @Test
    public void keepsTheNewestHundred() throws Exception {
        History history = new History(bench.context);
        File folder = History.folder(bench.context);
        assertTrue(folder.mkdirs());
        for (int number = 0; number < 105; number++) {
            Files.write(new File(folder, String.format("2020010%03d.json", number)).toPath(), new byte[] {'{', '}'});
        }
        String name = history.add(new JSONObject());
        assertEquals(100, history.names().size());
        assertEquals(name, history.names().get(0));
    }

    @Test
    public void theProviderGivesResultsOnly() throws Exception {
        String name = measured();
        ResultProvider provider = Robolectric.setupContentProvider(ResultProvider.class);
        try (ParcelFileDescriptor file = provider.openFile(ResultProvider.of(bench.context, name), "r")) {
            assertTrue(file.getStatSize() > 1000);
        }
        assertNotNull(provider.query(ResultProvider.of(bench.context, name), null, null, null, null));
        for (String path : new String[] {"..%2Fopened%2Fx.json", "a/b.json", "", "x", "..", ".."}) {
            Uri uri = Uri.parse("content://dev.edgesdk.demo.results/" + path);
            assertThrows(path, FileNotFoundException.class, () -> provider.openFile(uri, "r"));
        }
        assertThrows(FileNotFoundException.class,
                () -> provider.openFile(ResultProvider.of(bench.context, name), "w"));
        try (ParcelFileDescriptor file = provider.openFile(ResultProvider.picture(bench.context), "wt")) {
            assertEquals(0, file.getStatSize());
        }
    }

    private String measured() {
        Setup setup = new Setup(new ModelChoice("app:digits.edge"), "cpu", Collections.<String, String>emptyMap(), 1, "",
                null);
        Workbench workbench = Workbench.of(bench.context);
        workbench.entered();
        workbench.start(setup, new BenchmarkWork(bench.context, setup, new Plan("custom", 5, 0, 2), null));
        bench.await();
        return workbench.outcome().file;
    }

    private HistoryActivity start(int expected) {
        HistoryActivity activity = Robolectric.buildActivity(HistoryActivity.class).setup().get();
        ListView list = activity.findViewById(R.id.results);
        long end = System.nanoTime() + 20_000_000_000L;
        while ((list.getAdapter() == null || list.getAdapter().getCount() != expected) && System.nanoTime() < end) {
            Bench.pause();
            shadowOf(Looper.getMainLooper()).idle();
        }
        assertEquals(expected, list.getAdapter().getCount());
        return activity;
    }
}
