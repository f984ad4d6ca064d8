package dev.edgesdk.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.file.Files;
import java.util.concurrent.CountDownLatch;

import android.app.Activity;
import android.content.ComponentCallbacks2;
import android.content.Intent;
import android.content.res.TypedArray;
import android.net.Uri;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.EditText;
import android.widget.Spinner;
import android.widget.TextView;

import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;

@RunWith(RobolectricTestRunner.class)
public final class MainActivityTest {
    @Rule
    public final Bench bench = new Bench();

    @Test
    public void listsWhatTheAppCarries() {
        MainActivity activity = start(null).get();
        Spinner models = activity.findViewById(R.id.models);
        assertEquals(3, models.getAdapter().getCount());
        assertEquals("digits.edge", models.getSelectedItem());
    }

    @Test
    public void benchmarksAndDrawsTheRuns() {
        MainActivity activity = start(null).get();
        quick(activity);
        press(activity, R.id.benchmark);
        assertEquals(View.VISIBLE, activity.findViewById(R.id.stop).getVisibility());
        bench.await();
        String text = Bench.text(activity, R.id.outcome);
        assertTrue(text, text.contains("p50") && text.contains("verified against the bundle's golden outputs"));
        RunsChart chart = activity.findViewById(R.id.chart);
        assertEquals(View.VISIBLE, chart.getVisibility());
        assertTrue(chart.getContentDescription().toString().contains("20 runs"));
        assertEquals(1, new History(activity).names().size());
        press(activity, R.id.share);
        Intent chooser = shadowOf(activity).getNextStartedActivity();
        assertEquals(Intent.ACTION_CHOOSER, chooser.getAction());
    }

    @Test
    public void checksAgainstGoldenOutputs() {
        MainActivity activity = start(null).get();
        press(activity, R.id.check);
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome).startsWith("Outputs: verified against the bundle's golden outputs"));
    }

    @Test
    public void aDelegateThatFailsIsSaidAndNotReplaced() {
        MainActivity activity = start(null).get();
        ((Spinner) activity.findViewById(R.id.delegates)).setSelection(Delegates.LABELS.indexOf("GPU, float16"));
        press(activity, R.id.benchmark);
        bench.await();
        String text = Bench.text(activity, R.id.outcome);
        assertTrue(text, text.startsWith("DelegateUnavailableError: ") && text.contains("this engine has none"));
        assertEquals(View.GONE, activity.findViewById(R.id.chart).getVisibility());
        assertEquals(0, new History(activity).names().size());
    }

    @Test
    public void numbersThatMakeNoSense() {
        MainActivity activity = start(null).get();
        ((EditText) activity.findViewById(R.id.runs)).setText("0");
        press(activity, R.id.benchmark);
        assertFalse(Workbench.of(activity).isBusy());
        assertTrue(Bench.text(activity, R.id.outcome).startsWith("--runs=0: expected a whole number from 1"));
    }

    @Test
    public void turningTheDeviceEndsNothing() {
        TableEngine.gate = new CountDownLatch(1);
        ActivityController<MainActivity> controller = start(null);
        MainActivity before = controller.get();
        quick(before);
        ((Spinner) before.findViewById(R.id.delegates)).setSelection(2);
        press(before, R.id.benchmark);
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange();
        MainActivity after = controller.get();
        assertNotEquals(before, after);
        assertEquals(View.VISIBLE, after.findViewById(R.id.busy).getVisibility());
        assertEquals(2, ((Spinner) after.findViewById(R.id.delegates)).getSelectedItemPosition());
        TableEngine.gate.countDown();
        bench.await();
        String text = Bench.text(after, R.id.outcome);
        assertTrue(text, text.contains("cpu, 1 threads") && text.contains(", valid"));
    }

    @Test
    public void theBackgroundMakesAResultInvalid() {
        TableEngine.gate = new CountDownLatch(1);
        ActivityController<MainActivity> controller = start(null);
        quick(controller.get());
        press(controller.get(), R.id.benchmark);
        controller.pause().stop();
        TableEngine.gate.countDown();
        bench.await();
        controller.restart().start().resume();
        String text = Bench.text(controller.get(), R.id.outcome);
        assertTrue(text, text.contains("INVALID: the app was not in the foreground all the time"));
    }

    @Test
    public void stopKeepsTheModelUsable() {
        TableEngine.gate = new CountDownLatch(1);
        MainActivity activity = start(null).get();
        press(activity, R.id.benchmark);
        press(activity, R.id.stop);
        TableEngine.gate.countDown();
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome), Bench.text(activity, R.id.outcome).contains("cancelled"));
        quick(activity);
        press(activity, R.id.benchmark);
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome).contains("p50"));
    }

    @Test
    public void lowMemoryClosesTheModelAndItOpensAgain() {
        MainActivity activity = start(null).get();
        press(activity, R.id.check);
        bench.await();
        assertEquals(1, TableEngine.open);
        Workbench.of(activity).onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND);
        long end = System.nanoTime() + 10_000_000_000L;
        while (!Bench.text(activity, R.id.outcome).contains("short of memory") && System.nanoTime() < end) {
            Bench.pause();
            shadowOf(android.os.Looper.getMainLooper()).idle();
        }
        assertTrue(Bench.text(activity, R.id.outcome).contains("short of memory"));
        assertEquals(0, TableEngine.open);
        press(activity, R.id.check);
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome).startsWith("Outputs: verified"));
    }

    @Test
    public void oneSessionServesWorkWithTheSameSetup() {
        MainActivity activity = start(null).get();
        press(activity, R.id.check);
        bench.await();
        int opened = TableEngine.opened;
        press(activity, R.id.check);
        bench.await();
        assertEquals(opened, TableEngine.opened);
        ((Spinner) activity.findViewById(R.id.delegates)).setSelection(2);
        press(activity, R.id.check);
        bench.await();
        assertTrue(TableEngine.opened > opened);
        assertEquals(1, TableEngine.open);
    }

    @Test
    public void opensADocument() throws Exception {
        MainActivity activity = start(null).get();
        press(activity, R.id.open);
        Intent asked = shadowOf(activity).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.getAction());
        Uri uri = Uri.parse("content://somewhere/1");
        byte[] bytes = Files.readAllBytes(bench.copy("plain.tflite").toPath());
        shadowOf(activity.getContentResolver()).registerInputStream(uri, new ByteArrayInputStream(bytes));
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, new Intent().setData(uri));
        bench.await();
        assertEquals("model", ((Spinner) activity.findViewById(R.id.models)).getSelectedItem());
        press(activity, R.id.check);
        bench.await();
        String text = Bench.text(activity, R.id.outcome);
        assertTrue(text, text.contains("a bare .tflite has no golden cases"));
    }

    @Test
    public void aDocumentThatCannotBeRead() {
        MainActivity activity = start(null).get();
        press(activity, R.id.open);
        Intent asked = shadowOf(activity).getNextStartedActivityForResult().intent;
        Uri uri = Uri.parse("content://somewhere/2");
        shadowOf(activity.getContentResolver()).registerInputStreamSupplier(uri, () -> {
            throw new SecurityException("it was taken back");
        });
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, new Intent().setData(uri));
        assertFalse(activity.findViewById(R.id.open).isEnabled());
        bench.await();
        assertTrue(activity.findViewById(R.id.open).isEnabled());
        assertTrue(Bench.text(activity, R.id.outcome).contains("it was taken back"));
        assertEquals(3, ((Spinner) activity.findViewById(R.id.models)).getAdapter().getCount());
    }

    @Test
    public void aPathByIntent() throws Exception {
        File file = bench.copy("digits.edge");
        MainActivity activity = start(new Intent(bench.context, MainActivity.class).putExtra("model", file.getPath())).get();
        assertEquals("digits.edge", ((Spinner) activity.findViewById(R.id.models)).getSelectedItem());
        assertEquals(4, ((Spinner) activity.findViewById(R.id.models)).getAdapter().getCount());
        assertTrue(file.delete());
        press(activity, R.id.check);
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome).contains("cannot be read"));
    }

    @Test
    public void everyControlIsNamedForScreenReaders() {
        MainActivity activity = start(null).get();
        assertNamed((ViewGroup) activity.findViewById(android.R.id.content));
    }

    @Test
    @Config(qualifiers = "night")
    public void darkTheme() {
        assertTrue(brightness(start(null).get()) > 128);
    }

    @Test
    @Config(qualifiers = "notnight")
    public void lightTheme() {
        assertTrue(brightness(start(null).get()) < 128);
    }

    @Test
    public void keepsClearOfTheSystemBars() {
        View content = ((ViewGroup) start(null).get().findViewById(android.R.id.content)).getChildAt(0);
        assertTrue(content.getFitsSystemWindows());
    }

    private ActivityController<MainActivity> start(Intent intent) {
        return Robolectric.buildActivity(MainActivity.class, intent).setup();
    }

    private static void quick(MainActivity activity) {
        ((EditText) activity.findViewById(R.id.runs)).setText("20");
        ((EditText) activity.findViewById(R.id.seconds)).setText("0");
        ((EditText) activity.findViewById(R.id.warm_up)).setText("2");
    }

    private static void press(Activity activity, int id) {
        Button button = activity.findViewById(id);
        assertNotNull(button);
        assertTrue(button.isEnabled());
        button.performClick();
    }

    private static int brightness(Activity activity) {
        TypedArray colours = activity.obtainStyledAttributes(new int[] {android.R.attr.textColorPrimary});
        int colour = colours.getColor(0, 0);
        colours.recycle();
        return android.graphics.Color.red(colour);
    }

    /** A button has words or a description; what takes a value has a description or a label that points at it. */
    private static void assertNamed(ViewGroup group) {
        for (int index = 0; index < group.getChildCount(); index++) {
            View view = group.getChildAt(index);
            boolean takes = view instanceof Spinner || view instanceof EditText;
            boolean said = view.getContentDescription() != null
                    || view instanceof Button && ((Button) view).getText().length() > 0 || takes && isLabelled(view);
            assertTrue(view.toString(), said || !(takes || view instanceof Button));
            if (view instanceof ViewGroup && !takes) {
                assertNamed((ViewGroup) view);
            }
        }
    }

    private static boolean isLabelled(View view) {
        ViewGroup parent = (ViewGroup) view.getParent();
        for (int index = 0; index < parent.getChildCount(); index++) {
            if (parent.getChildAt(index) instanceof TextView && parent.getChildAt(index).getLabelFor() == view.getId()) {
                return true;
            }
        }
        return false;
    }
}
