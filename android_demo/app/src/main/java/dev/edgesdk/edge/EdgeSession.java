package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A model open on this device: run by name, with an honest account of what runs where. It does what Python's
 * {@code edge_sdk.runtime.Session} does on a board.
 *
 * <p>Opened, run and closed on one thread (see {@link EdgeWorker}); calls from another fail. Only the
 * {@link Cancellation} that it was opened with works from any thread.
 */
public final class EdgeSession implements AutoCloseable {
    /** One variant, open. */
    private static final class Level {
        final Opener.Loaded loaded;
        final Opening opening;
        final Ports ports;

        Level(Opener opener, SessionOptions options) {
            loaded = opener.loaded;
            opening = opener.opening;
            ports = new Ports(loaded.subject.model, loaded.executor, options);
        }

        Model model() {
            return loaded.subject.model;
        }
    }

    private final Thread thread = Thread.currentThread();
    private final SessionOptions options;
    private final Receipt.Asked asked;
    private final Bundle bundle;
    private final List<Level> levels = new ArrayList<>();
    private final List<Receipt.Switch> switches = new ArrayList<>();
    private final Map<String, EdgeSignature> signatures = new HashMap<>();
    private Level active;
    private LoadState load = new LoadState();
    private int runs;

    private EdgeSession(SessionOptions options, Receipt.Asked asked, Bundle bundle) {
        this.options = options;
        this.asked = asked;
        this.bundle = bundle;
    }

    /**
     * Opens a model with the first delegate that works and that the policy admits.
     *
     * @throws EdgeException.Model the file is damaged, or the engine refuses it
     * @throws EdgeException.Bundle likewise for a bundle, or it is not signed by a trusted key
     * @throws EdgeException.Policy an option makes no sense
     * @throws EdgeException.DelegateUnavailable no candidate works and is admitted, and why for each
     * @throws EdgeException.Signature the file has no such signature
     * @throws EdgeException.Target the model needs more memory than there is
     * @throws EdgeException.Cancelled the options' cancellation was used
     */
    public static EdgeSession open(ModelSource source, Engine engine, SessionOptions options) {
        checkOptions(options);
        Subject.Package file = new Subject.Package(source, options);
        List<Candidate> candidates = Candidates.of(options, engine, file.bundle);
        Receipt.Asked asked = new Receipt.Asked(source.name,
                options.delegates.isEmpty() ? Collections.singletonList("auto") : options.delegates, engine.name(), options);
        EdgeSession made = new EdgeSession(options, asked, file.bundle);
        boolean done = false;
        try {
            for (String variant : options.variants.isEmpty() ? Collections.<String>singletonList(null)
                    : options.variants) {
                Opener opener = new Opener(file, variant, candidates, engine, options);
                opener.open();
                made.levels.add(new Level(opener, options));
                made.checkSamePorts();
            }
            made.activate(made.levels.get(0));
            done = true;
            return made;
        } finally {
            if (!done) {
                made.close();
            }
        }
    }

    /** What {@link #run} takes: of a quantized model in real values, floats. */
    public List<Port> inputs() {
        return open().ports.shown(active.model().inputs);
    }

    /** What {@link #run} gives, likewise. */
    public List<Port> outputs() {
        return open().ports.shown(active.model().outputs);
    }

    /**
     * One run. A quantized input takes floats, or its own integers.
     *
     * @return new arrays, one for each of {@link #outputs}
     * @throws EdgeException.Signature an input is missing, misnamed, of another shape or type, or not finite
     * @throws EdgeException.Model the engine failed
     * @throws EdgeException.Cancelled likewise as it says
     */
    public Map<String, EdgeArray> run(Map<String, EdgeArray> inputs) {
        Level level = open();
        options.cancellation.check();
        if (options.deadline == null) {
            return level.ports.run(inputs);
        }
        long began = System.nanoTime();
        Map<String, EdgeArray> made = level.ports.run(inputs);
        afterRun((System.nanoTime() - began) / 1e6);
        return made;
    }

    /**
     * Raw values of an input in the engine's own buffer, to be filled before {@link #runRaw}: unchecked, no copies.
     *
     * @throws EdgeException.Target another variant may take over
     */
    public ByteBuffer rawInput(String name) {
        return only("raw buffers").ports.rawInput(name);
    }

    /** Raw values of an output after {@link #runRaw}; likewise, and every run overwrites them. */
    public ByteBuffer rawOutput(String name) {
        return only("raw buffers").ports.rawOutput(name);
    }

    /** One run on what the raw inputs hold. */
    public void runRaw() {
        Level level = only("raw buffers");
        options.cancellation.check();
        level.loaded.executor.invoke();
    }

    /**
     * Another signature of the same open model, with its weights and variables.
     *
     * @throws EdgeException.Signature the file has none of that name
     * @throws EdgeException.Target what runs has one signature only, or another variant may take over
     */
    public EdgeSignature signature(String key) {
        Level level = only("another signature");
        EdgeSignature known = signatures.get(key);
        if (known == null) {
            Model entry = level.model().signature(key);
            known = new EdgeSignature(this, entry == level.model() ? level.ports : level.ports.beside(entry));
            signatures.put(key, known);
        }
        return known;
    }

    /**
     * Calls of signatures that belong together, as if they were one model.
     *
     * @param keys of signatures, in order; one may be called several times
     * @throws EdgeException.Target the model has state, and the session does not keep it between runs; as {@link #signature}
     * @throws EdgeException.Signature as {@link #signature}, or no key is given
     */
    public EdgeSequence sequence(String... keys) {
        Level level = only("sequence of signatures");
        if (level.model().isStateful && !options.keepState) {
            throw new EdgeException.Target(level.model().name + " has state, which this session sets back before every call",
                    "open it with keepState(true)");
        }
        CallPlan plan = CallPlan.of(level.model(), Arrays.asList(keys), options.values == SessionOptions.Values.REAL);
        Map<String, Ports> ports = new HashMap<>();
        for (CallPlan.Call call : plan.calls) {
            ports.put(call.entry.key, signature(call.entry.key).ports);
        }
        return new EdgeSequence(this, new CallRunner(plan, level.loaded.executor, ports));
    }

    /**
     * Sets the model's state back to how it was when it was opened; for sessions that keep it between runs.
     *
     * @throws EdgeException.Target it cannot be, as of variables on a delegate
     */
    public void reset() {
        open();
        for (Level level : levels) {
            level.loaded.executor.reset();
        }
    }

    /** Runs the bundle's golden cases again, now: outputs against golden ones. */
    public SelfTest selfTest() {
        Level level = open();
        Subject subject = level.loaded.subject;
        if (subject.cases.isEmpty()) {
            return SelfTest.none(bundle == null ? "a bare .tflite has no golden cases" : "the bundle has no golden cases");
        }
        Trial trial = Trial.golden(subject.cases);
        Trial.Timed timed = trial.time(subject.model, level.loaded.executor, options.cancellation);
        return new Judge(subject, level.loaded.executor.arithmetic(), options.policy.minSqnrDb)
                .verdict(trial, timed.outputs);
    }

    /** What was asked, what runs, why nothing else does, and what changed since. After closing, too. */
    public Receipt receipt() {
        List<Opening> openings = new ArrayList<>();
        for (Level level : levels) {
            openings.add(level.opening);
        }
        String runs = levels.get(load.level).opening.variant;
        return new Receipt(asked, options.device, openings, runs, new ArrayList<>(switches));
    }

    /** What it was opened from, with labels, golden cases and processing; null for a bare file. */
    public Bundle bundle() {
        return bundle;
    }

    /** Frees the engine's memory; twice is harmless. */
    @Override
    public void close() {
        checkThread();
        active = null;
        options.cancellation.watch(null);
        for (Level level : levels) {
            level.loaded.close();
        }
    }

    private static void checkOptions(SessionOptions options) {
        if (options.variants.size() > 1 && options.deadline == null) {
            throw new EdgeException.Policy("several variants are named, and no deadline that would choose between them",
                    null);
        }
        if (options.variants.size() > 1 && options.values == SessionOptions.Values.RAW) {
            throw new EdgeException.Policy(
                    "variants may differ in their own integers: several of them take real values only", null);
        }
    }

    private void afterRun(double tookMs) {
        runs++;
        double[] usualMs = new double[levels.size()];
        for (int index = 0; index < usualMs.length; index++) {
            Double ran = levels.get(index).opening.chosen.ran.runMs;
            usualMs[index] = ran == null ? 0 : ran;
        }
        LoadState before = load;
        load = load.after(tookMs, options.deadline, usualMs);
        if (load.level != before.level) {
            switches.add(new Receipt.Switch(runs, variant(load.level), variant(before.level),
                    why(before.level, tookMs, usualMs)));
            activate(levels.get(load.level));
        }
    }

    private String why(int old, double tookMs, double[] usualMs) {
        if (load.level > old) {
            return String.format(Locale.ROOT, "%d runs in a row took more than %s ms, the last %.3g ms",
                    options.deadline.misses, options.deadline.ms, tookMs);
        }
        double expected = tookMs * usualMs[load.level] / usualMs[old];
        return String.format(Locale.ROOT, "runs take %.3g ms again, so %s should take %.3g of %s ms", tookMs,
                variant(load.level), expected, options.deadline.ms);
    }

    private String variant(int level) {
        String id = levels.get(level).opening.variant;
        return id == null ? "" : id;
    }

    private void activate(Level level) {
        active = level;
        options.cancellation.watch(level.loaded.executor);
    }

    /** Variants that take turns must look the same from outside. */
    private void checkSamePorts() {
        Level first = levels.get(0), last = levels.get(levels.size() - 1);
        if (!shown(first.model().inputs).equals(shown(last.model().inputs))
                || !shown(first.model().outputs).equals(shown(last.model().outputs))) {
            throw new EdgeException.Signature("variants " + first.opening.variant + " and " + last.opening.variant
                    + " take or give other values, so that they cannot take turns",
                    "name variants with the same inputs and outputs");
        }
    }

    /** The one that runs, where no other may run in its place. */
    private Level only(String what) {
        Level level = open();
        if (levels.size() > 1) {
            throw new EdgeException.Target("no " + what + ": another variant may take over",
                    "open one variant without a deadline");
        }
        return level;
    }

    /** Before a run of another signature. */
    void checkRuns() {
        open();
        options.cancellation.check();
    }

    List<Port> shown(List<Port> ports) {
        return levels.get(0).ports.shown(ports);
    }

    private Level open() {
        checkThread();
        if (active == null) {
            throw new EdgeException.Model("the session is closed", "open it again");
        }
        return active;
    }

    private void checkThread() {
        if (Thread.currentThread() != thread) {
            throw new EdgeException.Model("the session was opened on thread `" + thread.getName()
                    + "` and is used on `" + Thread.currentThread().getName() + "`", "keep to one thread: EdgeWorker has one");
        }
    }
}
