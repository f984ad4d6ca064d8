package dev.edgesdk.edge;

import java.util.Collections;

/** A bare .tflite opened as it is: no candidates, no policy, no self-test. For timing one kernel after the other. */
public final class Bare implements AutoCloseable {
    /** What runs. */
    public final Model model;
    /** What runs it. */
    public final Executor executor;

    private Bare(Model model, Executor executor) {
        this.model = model;
        this.executor = executor;
    }

    /**
     * Opens it.
     *
     * @param delegate {@code xnnpack}, or {@code cpu} for the engine's own kernels
     * @throws EdgeException.Model the file is damaged, or the engine refuses it
     * @throws EdgeException.DelegateUnavailable the delegate cannot be had here
     */
    public static Bare open(ModelSource source, Engine engine, String delegate, int threads) {
        Model model = TfliteReader.read(source.name, Hashes.sha256(source.content), source.content);
        Engine.Options options = new Engine.Options(threads, null, false, Collections.<String, String>emptyMap());
        return new Bare(model, engine.open(model, new Candidate(delegate, Policy.Accelerator.CPU), options));
    }

    @Override
    public void close() {
        executor.close();
    }
}
