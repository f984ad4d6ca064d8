package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** What a model is tried on: raw inputs, a run each, and what should come out where that is known. */
final class Trial {
    private static final int SEEDED_CASES = 2, TIMED_RUNS = 5;
    private static final double TIMED_MS = 50;

    final List<Map<String, EdgeArray>> inputs;
    final List<Bundle.GoldenCase> cases;
    /** The reference, or why there is none. */
    final String against;

    private Trial(List<Map<String, EdgeArray>> inputs, List<Bundle.GoldenCase> cases, String against) {
        this.inputs = inputs;
        this.cases = cases;
        this.against = against;
    }

    /** On a bundle's golden cases. */
    static Trial golden(List<Bundle.GoldenCase> cases) {
        List<Map<String, EdgeArray>> inputs = new ArrayList<>();
        for (Bundle.GoldenCase one : cases) {
            inputs.add(one.inputs);
        }
        return new Trial(inputs, cases, "the bundle's golden outputs");
    }

    /** Cases of anything else. */
    static Trial against(List<Bundle.GoldenCase> cases, String against) {
        return new Trial(Collections.<Map<String, EdgeArray>>emptyList(), cases, against);
    }

    /** Inputs to time a model on, and nothing to compare with. */
    static Trial untested(Model model, String why) {
        return new Trial(seededInputs(model).subList(0, 1), Collections.<Bundle.GoldenCase>emptyList(), why);
    }

    /** On seeded inputs, with what the engine's own kernels make of them; {@code reference} stays open. */
    static Trial seeded(Model model, Executor reference) {
        List<Map<String, EdgeArray>> inputs = seededInputs(model);
        List<Bundle.GoldenCase> cases = new ArrayList<>();
        try {
            for (Map<String, EdgeArray> one : inputs) {
                write(model, reference, one);
                reference.invoke();
                cases.add(new Bundle.GoldenCase(one, read(model, reference)));
            }
        } catch (EdgeException.Cancelled error) {
            throw error;
        } catch (EdgeException.Model error) {
            // Values that mean something, such as a shape, cannot be drawn.
            return untested(model, "the model does not run on seeded inputs (" + error.getMessage() + ")");
        }
        return new Trial(inputs, cases, reference.engine() + "'s own kernels");
    }

    /** What the seeded cases take. */
    static long seededBytes(Model model) {
        long all = 0;
        for (Port port : model.inputs) {
            all += port.sizeBytes();
        }
        for (Port port : model.outputs) {
            all += port.sizeBytes();
        }
        return SEEDED_CASES * all;
    }

    /** Outputs of each input, and what runs took in ms; the first is the first that this executor ever did. */
    static final class Timed {
        final List<Map<String, EdgeArray>> outputs = new ArrayList<>();
        final List<Double> tookMs = new ArrayList<>();

        Double first() {
            return tookMs.isEmpty() ? null : tookMs.get(0);
        }

        /** Of all but the first. */
        Double median() {
            if (tookMs.isEmpty()) {
                return null;
            }
            List<Double> rest = new ArrayList<>(tookMs.subList(1, tookMs.size()));
            Collections.sort(rest);
            int half = rest.size() / 2;
            return rest.size() % 2 == 1 ? rest.get(half) : (rest.get(half - 1) + rest.get(half)) / 2;
        }
    }

    /** The last input first, then every one in order, and more rounds until five runs are made or took 50 ms. */
    Timed time(Model model, Executor executor, Cancellation cancellation) {
        Timed made = new Timed();
        double took = 0;
        for (int run = 0; run < inputs.size() + 1 || run <= TIMED_RUNS && took < TIMED_MS; run++) {
            cancellation.check();
            write(model, executor, inputs.get(Math.floorMod(run - 1, inputs.size())));
            long began = System.nanoTime();
            executor.invoke();
            double ms = (System.nanoTime() - began) / 1e6;
            made.tookMs.add(ms);
            took += run == 0 ? 0 : ms;
            if (run > 0 && run <= inputs.size()) {
                made.outputs.add(read(model, executor));
            }
        }
        return made;
    }

    static void write(Model model, Executor executor, Map<String, EdgeArray> inputs) {
        for (int place = 0; place < model.inputs.size(); place++) {
            ByteBuffer into = executor.input(place);
            into.clear();
            into.put(inputs.get(model.inputs.get(place).name).buffer());
        }
    }

    static Map<String, EdgeArray> read(Model model, Executor executor) {
        Map<String, EdgeArray> made = new LinkedHashMap<>();
        for (int place = 0; place < model.outputs.size(); place++) {
            Port port = model.outputs.get(place);
            ByteBuffer from = executor.output(place);
            from.clear();
            made.put(port.name, EdgeArray.wrap(port.type(), from, port.shape()).copy());
        }
        return made;
    }

    /** Raw inputs, the same for the same model: smooth where floats, over the whole range where quantized. */
    private static List<Map<String, EdgeArray>> seededInputs(Model model) {
        Random random = new Random(0);
        List<Map<String, EdgeArray>> made = new ArrayList<>();
        for (int run = 0; run < SEEDED_CASES; run++) {
            Map<String, EdgeArray> one = new LinkedHashMap<>();
            for (Port port : model.inputs) {
                if (port.type() == null) {
                    throw new EdgeException.Model(model.name + ": input " + port + " cannot be passed by this wrapper", null);
                }
                one.put(port.name, drawn(port, random));
            }
            made.add(one);
        }
        return made;
    }

    private static EdgeArray drawn(Port port, Random random) {
        EdgeArray values = EdgeArray.zeros(port.type(), port.shape());
        // Whole numbers without a scale may be indices: zero is one that exists.
        if (!port.type().isFloat() && !port.isScaled()) {
            return values;
        }
        double phase = random.nextDouble(), speed = 0.01 + 0.1 * random.nextDouble();
        double least = port.isScaled() ? port.type().least() : -1, range = port.isScaled()
                ? port.type().largest() - least : 2;
        for (int index = 0; index < values.size(); index++) {
            double wave = 0.5 + 0.4 * Math.sin(2 * Math.PI * (phase + speed * index));
            values.set(index, least + range * (0.8 * wave + 0.2 * random.nextDouble()));
        }
        return values;
    }
}
