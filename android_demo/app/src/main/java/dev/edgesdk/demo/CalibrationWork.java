package dev.edgesdk.demo;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

import android.content.Context;
import dev.edgesdk.bench.Arguments;
import dev.edgesdk.bench.Plan;
import dev.edgesdk.bench.Timing;
import dev.edgesdk.edge.Bare;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.ModelSource;
import dev.edgesdk.edge.Port;

/**
 * Times the files of an archive one after the other in this process, and appends a line of JSON for each as soon as it is
 * done: {@code edge-sdk devices calibrate adb://SERIAL} reads them while it goes on. A file whose name ends in
 * {@code .plain.tflite} runs in the engine's own kernels, all others with XNNPACK.
 */
final class CalibrationWork implements Workbench.Alone {
    /** Of the result. */
    static final String SCHEMA = "edge-sdk-android-calibration/1";
    private static final String PLAIN = ".plain.tflite";
    // As edge_sdk/measure/calibration/running.py has it.
    private static final Plan PLAN = new Plan("custom", 12, 0.1, Plan.UNTIL_STEADY);
    private static final long PATIENCE_NANOS = 1_000_000_000L, LOOK_NANOS = 1_000_000_000L;
    private static final int MOST_SAMPLES = 500, COPY = 1 << 16;

    private final Context context;
    private final Workbench workbench;
    private final Arguments asked;
    private final String runId;
    private final File lines;
    private final DeviceWatch watch;
    private final List<JSONObject> looks = new ArrayList<>();
    private long begun;
    private long looked;

    CalibrationWork(Context context, Arguments asked, String runId, File lines) {
        this.context = context.getApplicationContext();
        this.workbench = Workbench.of(context);
        this.asked = asked;
        this.runId = runId;
        this.lines = lines;
        this.watch = new DeviceWatch(this.context);
    }

    @Override
    public Outcome with(Engine engine) {
        begun = System.nanoTime();
        see();
        int done = 0;
        try (ZipFile archive = new ZipFile(asked.kernels); OutputStream told = new FileOutputStream(lines)) {
            List<? extends ZipEntry> entries = Collections.list(archive.entries());
            for (ZipEntry entry : entries) {
                if (workbench.isStopped()) {
                    break;
                }
                JSONObject line = timed(archive, entry, engine);
                told.write((line + "\n").getBytes(StandardCharsets.UTF_8));
                told.flush();
                workbench.report((double) ++done / entries.size());
            }
            see();
            return Outcome.of(done + " kernels", result(engine, done, entries.size()), null);
        } catch (IOException | JSONException error) {
            throw new EdgeException.Model(asked.kernels + ": " + error.getMessage(), null);
        }
    }

    private JSONObject timed(ZipFile archive, ZipEntry entry, Engine engine) throws IOException, JSONException {
        JSONObject line = new JSONObject().put("name", entry.getName());
        File file = new File(context.getCacheDir(), "kernel.tflite");
        try {
            unpack(archive, entry, file);
            String delegate = entry.getName().endsWith(PLAIN) ? "cpu" : "xnnpack";
            try (Bare open = Bare.open(ModelSource.file(file), engine, delegate, asked.threads)) {
                line.put("steps", open.executor.steps());
                return taken(line, open);
            }
        } catch (EdgeException.Target | EdgeException.Model refused) {
            return line.put("refused", refused.getMessage());
        } finally {
            file.delete();
        }
    }

    private JSONObject taken(JSONObject line, final Bare open) throws JSONException {
        Random random = new Random(0);
        int place = 0;
        for (Port port : open.model.inputs) {
            Noise.fill(open.executor.input(place++), port, random);
        }
        Timing.Taken taken = new Timing(new Timing.Query() {
            @Override
            public void run() {
                open.executor.invoke();
            }
        }, Timing.Clock.SYSTEM, new Timing.Observer() {
            @Override
            public JSONObject look(double atSeconds) {
                return see();
            }

            @Override
            public void progress(int runs, double seconds) { }

            @Override
            public boolean stops() {
                return workbench.isStopped();
            }
        }, PATIENCE_NANOS).take(PLAN);
        int stride = (taken.ms.length + MOST_SAMPLES - 1) / MOST_SAMPLES;
        JSONArray us = new JSONArray();
        for (int at = 0; at < taken.ms.length; at += stride) {
            us.put(Math.round(1e6 * taken.ms[at]) / 1e3);
        }
        JSONObject warmUp = new JSONObject().put("detected", taken.warmUp.detected).put("queries", taken.warmUp.queries)
                .put("duration_ms", taken.warmUp.durationMs).put("why", taken.warmUp.why);
        return line.put("took_us", us).put("warm_up", warmUp);
    }

    /** The device now, or a second ago: Android's forecast of heat may be asked for once a second. */
    private JSONObject see() {
        long now = System.nanoTime();
        if (looks.isEmpty() || now - looked >= LOOK_NANOS) {
            looks.add(watch.look((now - begun) / 1e9));
            looked = now;
        }
        return looks.get(looks.size() - 1);
    }

    private JSONObject result(Engine engine, int done, int wanted) throws JSONException {
        JSONArray all = new JSONArray();
        for (JSONObject look : looks) {
            all.put(look);
        }
        return new JSONObject().put("schema", SCHEMA).put("run_id", runId).put("engine", engine.name())
                .put("threads", asked.threads).put("done", done).put("wanted", wanted)
                .put("seconds", (System.nanoTime() - begun) / 1e9).put("left_foreground", workbench.leftForeground())
                .put("environment_info", watch.environment()).put("looks", all)
                .put("not_seen", new JSONArray(watch.notSeen(looks.get(0))));
    }

    private static void unpack(ZipFile archive, ZipEntry entry, File file) throws IOException {
        byte[] block = new byte[COPY];
        try (InputStream from = archive.getInputStream(entry); OutputStream to = new FileOutputStream(file)) {
            for (int count = from.read(block); count >= 0; count = from.read(block)) {
                to.write(block, 0, count);
            }
        }
    }
}
