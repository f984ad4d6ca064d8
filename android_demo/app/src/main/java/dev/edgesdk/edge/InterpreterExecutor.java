package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A model open in an interpreter: its signatures share weights and state, and state is set back as it was asked. What an
 * engine does for that is the subclass's.
 */
public abstract class InterpreterExecutor extends BufferedExecutor {
    private final boolean resets;
    /** Variables that something has set since the interpreter was opened. */
    private final Set<String> assigned = new HashSet<>();
    private boolean ran;

    /** For a model's own entry; {@code options} say whether its state is kept between runs. */
    protected InterpreterExecutor(Model model, Engine.Options options) {
        super(model);
        resets = model.isStateful && !options.keepState;
    }

    /**
     * Runs one entry of the model once; buffers are in its signature's order.
     *
     * @throws EdgeException.Model the engine failed, or the run was cancelled
     */
    protected abstract void run(Model entry, ByteBuffer[] inputs, ByteBuffer[] outputs);

    /** Sets variable tensors of all entries back; resource variables stay as they are. */
    protected abstract void resetTensors();

    /**
     * Opens the interpreter anew: by nothing else do resource variables begin anew.
     *
     * @throws EdgeException.Target it cannot be
     */
    protected abstract void reopen();

    @Override
    public final void invoke() {
        enter(model, inputs, outputs);
    }

    @Override
    public final void reset() {
        if (model.hasVariables) {
            if (ran) {
                reopen();
                ran = false;
                assigned.clear();
            }
        } else if (model.isStateful) {
            resetTensors();
        }
    }

    @Override
    public final Executor beside(Model entry) {
        return new Beside(entry);
    }

    private void enter(Model entry, ByteBuffer[] into, ByteBuffer[] outof) {
        if (resets) {
            reset();
        }
        checkSet(entry);
        ran = true;
        run(entry, into, outof);
        assigned.addAll(entry.variables.gives);
        assigned.addAll(entry.variables.initial);
    }

    /** The engine's memory of a variable that nothing has set is undefined. */
    private void checkSet(Model entry) {
        Set<String> unset = new TreeSet<>(entry.variables.needs);
        unset.removeAll(entry.variables.initial);
        unset.removeAll(assigned);
        if (!unset.isEmpty()) {
            throw new EdgeException.Model(model.name + ": signature `" + entry.key + "` reads variable `"
                    + unset.iterator().next() + "`, which nothing has set yet",
                    "run the signature that sets it first, in a session opened with keepState(true)");
        }
    }

    /** Another entry of what is open; closed with it. */
    private final class Beside extends BufferedExecutor {
        Beside(Model entry) {
            super(entry);
        }

        @Override
        public String engine() {
            return InterpreterExecutor.this.engine();
        }

        @Override
        public Arithmetic arithmetic() {
            return InterpreterExecutor.this.arithmetic();
        }

        @Override
        public List<String> notes() {
            return Collections.emptyList();
        }

        @Override
        public void invoke() {
            enter(model, inputs, outputs);
        }

        @Override
        public void reset() {
            InterpreterExecutor.this.reset();
        }

        @Override
        public Executor beside(Model entry) {
            return InterpreterExecutor.this.beside(entry);
        }

        @Override
        public Facts.Placement placement() {
            return null;
        }

        @Override
        public Integer steps() {
            return null;
        }

        @Override
        public void cancel(boolean cancelled) {
            InterpreterExecutor.this.cancel(cancelled);
        }

        @Override
        public void close() { }
    }
}
