package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * One model open in one engine with one delegate. Every call but {@link #cancel} is made on the thread that opened it,
 * for GPU delegates want that.
 */
public interface Executor extends AutoCloseable {
    /** What float ops are computed in. */
    enum Arithmetic {
        FLOAT32, FLOAT16
    }

    /** Name and version of the engine. */
    String engine();

    /** Of its float ops. */
    Arithmetic arithmetic();

    /** What a user should know of how it was opened, a sentence each; they go into the receipt. */
    List<String> notes();

    /** Where raw values of an input go, by its place in the signature: direct, native order, always the same buffer. */
    ByteBuffer input(int place);

    /** Where raw values of an output are after a run; likewise. Every run overwrites them. */
    ByteBuffer output(int place);

    /**
     * Runs once on what the inputs hold, and returns when the outputs can be read.
     *
     * @throws EdgeException.Model the engine failed, or the run was cancelled
     */
    void invoke();

    /**
     * Sets all state back to how it was when the model was opened; nothing where it keeps none.
     *
     * @throws EdgeException.Target it cannot be set back
     */
    void reset();

    /**
     * Another signature of the same open model, with the same state and buffers of its own; closed with this one.
     *
     * @param entry the model by that signature: {@link Model#signature}
     * @throws EdgeException.Target what runs cannot do that
     */
    Executor beside(Model entry);

    /** What the engine itself tells of where the ops went; null where it does not. */
    Facts.Placement placement();

    /**
     * How many steps the engine's plan has after delegates took their ops: each op that was left, and each partition of a
     * delegate; null where it does not tell.
     */
    Integer steps();

    /** Ends a run that is under way, and every later one until false is set; from any thread. */
    void cancel(boolean cancelled);

    /** Frees the engine's memory, in the order it wants; twice is harmless. */
    @Override
    void close();
}
