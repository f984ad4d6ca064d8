package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/**
 * A model open on this device: run by name, with an honest account of what runs where. It does what Python's
 * {@code edge_sdk.runtime.Session} does on a board.
 *
 * <p>Opened, run and closed on one thread (see {@link EdgeWorker}); calls from another fail. Only the
 * {@link Cancellation} that it was opened with works from any thread.
 */
public final class EdgeSession implements AutoCloseable {
    private EdgeSession() { }

    /**
     * Opens a model with the first delegate that works and that the policy admits.
     *
     * @throws EdgeException.Model the file is damaged, or the engine refuses it
     * @throws EdgeException.Bundle likewise for a bundle, or it is not signed by a trusted key
     * @throws EdgeException.Policy an option makes no sense
     * @throws EdgeException.DelegateUnavailable no candidate works and is admitted, and why for each
     * @throws EdgeException.Target the model needs more memory than there is
     * @throws EdgeException.Cancelled the options' cancellation was used
     */
    public static EdgeSession open(ModelSource source, Engine engine, SessionOptions options) {
        throw new UnsupportedOperationException("being written");
    }

    /** What {@link #run} takes: of a quantized model in real values, floats. */
    public List<Port> inputs() {
        throw new UnsupportedOperationException("being written");
    }

    /** What {@link #run} gives, likewise. */
    public List<Port> outputs() {
        throw new UnsupportedOperationException("being written");
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
        throw new UnsupportedOperationException("being written");
    }

    /** Raw values of an input in the engine's own buffer, to be filled before {@link #runRaw}; unchecked, no copies. */
    public ByteBuffer rawInput(String name) {
        throw new UnsupportedOperationException("being written");
    }

    /** Raw values of an output after {@link #runRaw}; likewise, and every run overwrites them. */
    public ByteBuffer rawOutput(String name) {
        throw new UnsupportedOperationException("being written");
    }

    /** One run on what the raw inputs hold. Only the engine's own time passes here. */
    public void runRaw() {
        throw new UnsupportedOperationException("being written");
    }

    /** Runs the bundle's golden cases again, now: outputs against golden ones. */
    public SelfTest selfTest() {
        throw new UnsupportedOperationException("being written");
    }

    /** What was asked, what runs, why nothing else does, and what changed since. */
    public Receipt receipt() {
        throw new UnsupportedOperationException("being written");
    }

    /** What it was opened from, with labels, golden cases and processing; null for a bare file. */
    public Bundle bundle() {
        throw new UnsupportedOperationException("being written");
    }

    /** Frees the engine's memory; twice is harmless. */
    @Override
    public void close() {
        throw new UnsupportedOperationException("being written");
    }
}
