package dev.edgesdk.demo;

import java.nio.ByteBuffer;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;

import org.json.JSONObject;

import android.content.Context;
import android.content.pm.PackageManager;
import dev.edgesdk.bench.Plan;
import dev.edgesdk.bench.ResultJson;
import dev.edgesdk.bench.ResultText;
import dev.edgesdk.bench.Timing;
import dev.edgesdk.bench.Validity;
import dev.edgesdk.edge.Bundle;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.Opening;
import dev.edgesdk.edge.Port;

/** Times the open model, and writes the result into the history. */
final class BenchmarkWork implements Workbench.Work {
    private final Context context;
    private final Workbench workbench;
    private final Setup setup;
    private final Plan plan;
    private final String runId;

    /** A run id of null makes one. */
    BenchmarkWork(Context context, Setup setup, Plan plan, String runId) {
        this.context = context.getApplicationContext();
        this.workbench = Workbench.of(context);
        this.setup = setup;
        this.plan = plan;
        this.runId = runId == null ? UUID.randomUUID().toString() : runId;
    }

    @Override
    public Outcome with(final EdgeSession session) {
        final DeviceWatch watch = new DeviceWatch(context);
        Opening opening = session.receipt().opening();
        String filled = fill(session, opening.variant);
        String startedAt = now();
        Timing.Taken taken = new Timing(new Timing.Query() {
            @Override
            public void run() {
                session.runRaw();
            }
        }, Timing.Clock.SYSTEM, new Timing.Observer() {
            @Override
            public JSONObject look(double atSeconds) {
                return watch.look(atSeconds);
            }

            @Override
            public void progress(int runs, double seconds) {
                double share = Math.min((double) runs / plan.runs, plan.seconds == 0 ? 1 : seconds / plan.seconds);
                workbench.report(runs == 0 ? -1 : Math.min(1, share));
            }

            @Override
            public boolean stops() {
                return workbench.isStopped();
            }
        }).take(plan);
        ResultJson.Context told = told(watch, session, opening, taken);
        told.startedAt = startedAt;
        told.notes.add(filled);
        JSONObject result = ResultJson.of(told, plan, opening, taken);
        String file = new History(context).add(result);
        return Outcome.of(ResultText.of(result) + "\n\n" + session.receipt().line(), result, file);
    }

    private ResultJson.Context told(DeviceWatch watch, EdgeSession session, Opening opening, Timing.Taken taken) {
        ResultJson.Context made = new ResultJson.Context();
        made.runId = runId;
        made.endedAt = now();
        made.app = context.getPackageName();
        made.version = version();
        made.environment = watch.environment();
        made.modelPath = setup.model.id;
        Bundle bundle = session.bundle();
        made.modelBytes = bundle == null ? setup.model.sizeBytes(context)
                : bundle.model(opening.variant).remaining();
        int[] shape = session.inputs().get(0).shape();
        made.batch = shape.length == 0 ? 1 : shape[0];
        made.delegate = setup.delegate;
        made.threads = setup.threads;
        made.extra = setup.delegateOptions;
        made.memory = watch.memoryUsed();
        made.reasons = Validity.reasons(plan, taken, workbench.leftForeground());
        made.notSeen = watch.notSeen(taken.looks.get(0));
        made.notes = new ArrayList<>();
        return made;
    }

    /** Fills the inputs with what the model expects to see, or with noise; says which. */
    private static String fill(EdgeSession session, String variant) {
        Bundle bundle = session.bundle();
        List<Bundle.GoldenCase> golden = bundle == null ? new ArrayList<Bundle.GoldenCase>() : bundle.golden(variant);
        if (!golden.isEmpty()) {
            for (Map.Entry<String, EdgeArray> input : golden.get(0).inputs.entrySet()) {
                ByteBuffer buffer = session.rawInput(input.getKey());
                buffer.clear();
                buffer.put(input.getValue().buffer());
                buffer.rewind();
            }
            return "inputs: the bundle's first golden case";
        }
        Random random = new Random(0);
        for (Port port : session.inputs()) {
            Noise.fill(session.rawInput(port.name), port, random);
        }
        return "inputs: noise from a seed; integers other than 8-bit are 0";
    }

    private String version() {
        try {
            return context.getPackageManager().getPackageInfo(context.getPackageName(), 0).versionName;
        } catch (PackageManager.NameNotFoundException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static String now() {
        return new SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ssXXX", Locale.ROOT).format(new Date());
    }
}
