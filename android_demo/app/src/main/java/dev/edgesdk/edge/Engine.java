package dev.edgesdk.edge;

import java.io.File;
import java.util.List;
import java.util.Map;

/** What can run models: TensorFlow Lite in the app, others in tests. */
public interface Engine {
    /** Name and version, such as {@code tensorflow-lite 2.16.1}. */
    String name();

    /** What {@code auto} tries where no profile is named, in order: accelerators of this device, then the CPU. */
    List<Candidate> found();

    /**
     * Opens a model. What it opened before it failed is closed.
     *
     * @throws EdgeException.DelegateUnavailable the delegate cannot be had here, or not for this model
     * @throws EdgeException.Model the engine refuses the model
     */
    Executor open(Model model, Candidate candidate, Options options);

    /** How to open a model. */
    final class Options {
        /** CPU threads, 1 or more. */
        public final int threads;
        /** Folder for files that make the next start faster; null for none. */
        public final File cacheDir;
        /** Leave the state of recurrent ops alone between runs; else it is reset before each. */
        public final boolean keepState;
        /** Of the delegate, such as {@code precision=float32}; see the engine. */
        public final Map<String, String> delegate;

        Options(int threads, File cacheDir, boolean keepState, Map<String, String> delegate) {
            this.threads = threads;
            this.cacheDir = cacheDir;
            this.keepState = keepState;
            this.delegate = delegate;
        }
    }
}
