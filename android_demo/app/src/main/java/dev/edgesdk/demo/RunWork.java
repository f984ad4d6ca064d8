package dev.edgesdk.demo;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

import dev.edgesdk.edge.Bundle;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.Port;

/** One run, and what came out in words. */
final class RunWork implements Workbench.Work {
    private static final int SHOWN = 5;

    private final Map<String, Source> sources;

    RunWork(Map<String, Source> sources) {
        this.sources = sources;
    }

    @Override
    public Outcome with(EdgeSession session) {
        Map<String, EdgeArray> inputs = new LinkedHashMap<>();
        for (Port port : session.inputs()) {
            inputs.put(port.name, input(session, port));
        }
        long start = System.nanoTime();
        Map<String, EdgeArray> outputs = session.run(inputs);
        double ms = (System.nanoTime() - start) / 1e6;
        StringBuilder made = new StringBuilder();
        for (Map.Entry<String, EdgeArray> output : outputs.entrySet()) {
            describe(made, session.bundle(), output.getKey(), output.getValue());
        }
        made.append(String.format(Locale.ROOT, "%nOne run: %.3f ms (not warmed up; see Benchmark)%n%n", ms))
                .append(session.receipt().line());
        return Outcome.of(made.toString());
    }

    private EdgeArray input(EdgeSession session, Port port) {
        Source source = sources.get(port.name);
        Bundle bundle = session.bundle();
        if (source == null) {
            throw new EdgeException.Signature("the input " + port + " has no values yet", "pick some for it");
        }
        if (source.array == null) {
            return golden(session, port);
        }
        return bundle != null && (source.isPicture || bundle.takesPicture(port.name))
                ? bundle.preprocess(port.name, source.array) : source.array;
    }

    /** Real values of the first golden case: of a quantized input they are its integers times the scale. */
    private static EdgeArray golden(EdgeSession session, Port port) {
        Bundle bundle = session.bundle();
        EdgeArray raw = bundle.golden(session.receipt().opening().variant).get(0).inputs.get(port.name);
        if (raw == null) {
            throw new EdgeException.Signature("the bundle holds no golden values for " + port, "take a file");
        }
        return raw;
    }

    private static void describe(StringBuilder made, Bundle bundle, String name, EdgeArray array) {
        made.append(name).append(": ").append(array).append('\n');
        Bundle.Result result = bundle == null ? null : bundle.postprocess(name, array);
        if (result != null && result.ranking != null) {
            for (Bundle.Scored one : result.ranking.get(0)) {
                String label = one.label == null ? "index " + one.index : one.label;
                made.append(String.format(Locale.ROOT, "  %s: %.4f%n", label, one.score));
            }
            return;
        }
        EdgeArray shown = result == null ? array : result.values;
        double[] values = shown.doubles();
        int best = 0;
        for (int index = 1; index < values.length; index++) {
            best = values[index] > values[best] ? index : best;
        }
        made.append("  ");
        for (int index = 0; index < Math.min(SHOWN, values.length); index++) {
            made.append(String.format(Locale.ROOT, "%.5g ", values[index]));
        }
        made.append(values.length > SHOWN ? "… " : "")
                .append(String.format(Locale.ROOT, "(%d values, the largest %.5g at %d)%n", values.length,
                        values.length == 0 ? Double.NaN : values[best], best));
    }
}
