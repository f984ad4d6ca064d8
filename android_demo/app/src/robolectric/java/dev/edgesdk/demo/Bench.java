package dev.edgesdk.demo;

import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import java.io.File;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

import android.app.Activity;
import android.app.ActivityManager;
import android.content.Context;
import android.content.res.AssetManager;
import android.os.Looper;
import android.widget.TextView;

import org.json.JSONObject;
import org.junit.rules.ExternalResource;
import org.robolectric.RuntimeEnvironment;

import dev.edgesdk.edge.Bundle;
import dev.edgesdk.edge.Engine;

/** A fresh workbench for each test, with {@link TableEngine} in TensorFlow Lite's place. */
final class Bench extends ExternalResource {
    private static final String[] BUNDLES = {"digits.edge", "pictures.edge"};

    final Context context = RuntimeEnvironment.getApplication();

    @Override
    protected void before() {
        ActivityManager.MemoryInfo memory = new ActivityManager.MemoryInfo();
        memory.availMem = 1L << 30;
        memory.totalMem = 4L << 30;
        shadowOf((ActivityManager) context.getSystemService(Context.ACTIVITY_SERVICE)).setMemoryInfo(memory);
        TableEngine.gate = null;
        TableEngine.open = 0;
        TableEngine.opened = 0;
        Workbench.engines = new Workbench.Engines() {
            @Override
            public Engine make() {
                List<Bundle.GoldenCase> golden = new ArrayList<>();
                for (String name : BUNDLES) {
                    ModelChoice choice = new ModelChoice(ModelChoice.CARRIED + name);
                    Bundle bundle = Bundle.open(choice.source(context), Collections.<byte[]>emptyList());
                    golden.addAll(bundle.golden(bundle.variants().get(0)));
                }
                return new TableEngine(golden);
            }
        };
    }

    @Override
    protected void after() {
        if (TableEngine.gate != null) {
            TableEngine.gate.countDown();
            await();
        }
        Workbench.forget();
    }

    /** Until the workbench has nothing to do. */
    void await() {
        long end = System.nanoTime() + 60_000_000_000L;
        do {
            shadowOf(Looper.getMainLooper()).idle();
            pause();
            assertTrue("the workbench is busy for a minute", System.nanoTime() < end);
        } while (Workbench.of(context).isBusy());
        shadowOf(Looper.getMainLooper()).idle();
    }

    static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    static String text(Activity activity, int id) {
        return ((TextView) activity.findViewById(id)).getText().toString();
    }

    static JSONObject json(File file) throws Exception {
        return new JSONObject(new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8));
    }

    /** Lays an archive of tests/android/models.py over what the app carries. */
    void carry(String name) throws Exception {
        AssetManager assets = context.getAssets();
        Object cookie = AssetManager.class.getMethod("addAssetPath", String.class).invoke(assets, made(name).getPath());
        assertTrue(name, (Integer) cookie > 0);
    }

    /** A file that tests/android/models.py made. */
    static File made(String name) {
        return new File(System.getProperty("edge.work"), name);
    }

    /** A copy of a carried model as a file, where a path can name it. */
    File copy(String name) throws Exception {
        File file = new File(context.getCacheDir(), name);
        try (InputStream stream = context.getAssets().open(ModelChoice.FOLDER + "/" + name)) {
            Files.copy(stream, file.toPath());
        }
        return file;
    }
}
