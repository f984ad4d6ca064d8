package dev.edgesdk.tflite;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Facts;
import dev.edgesdk.edge.InterpreterExecutor;
import dev.edgesdk.edge.Model;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.ExecutionPlan;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.TensorFlowLite;

/** A model in TensorFlow Lite's interpreter, with a delegate or none. */
final class TfliteExecutor extends InterpreterExecutor {
    private final String engine = "tensorflow-lite " + TensorFlowLite.runtimeVersion();
    private final Arithmetic arithmetic;
    private final List<String> notes = new ArrayList<>();
    private final Engine.Options options;
    private final String name;
    /** By the entry's key; each has one pair of buffers. */
    private final Map<String, Bound> known = new HashMap<>();
    private final Facts.Placement placement;
    private final int steps;
    private volatile Interpreter interpreter;
    private Delegate delegate;
    private volatile boolean cancelled;

    private TfliteExecutor(Model model, Engine.Options options, String name, Interpreter interpreter, Delegate delegate,
            Arithmetic arithmetic) {
        super(model, options);
        this.options = options;
        this.arithmetic = arithmetic;
        this.delegate = delegate;
        this.interpreter = interpreter;
        this.name = name;
        placement = name.equals("cpu") ? new Facts.Placement(0, 0, null) : null;
        steps = ExecutionPlan.length(interpreter);
    }

    /**
     * Opens a model; on failure everything is closed.
     *
     * @param delegate owned from now on, or null
     * @throws EdgeException.Model the engine refuses the model
     * @throws EdgeException.DelegateUnavailable the delegate does, or would have to be opened anew before each run
     */
    static TfliteExecutor open(Model model, Engine.Options options, String name, Delegate delegate,
            Arithmetic arithmetic) {
        Interpreter interpreter = null;
        TfliteExecutor made = null;
        try {
            checkResets(model, options, name, delegate);
            interpreter = interpreter(model, options, name, delegate);
            made = new TfliteExecutor(model, options, name, interpreter, delegate, arithmetic);
            if (model.hasVariables) {
                made.note("its resource variables are set back by opening it anew, which takes as long as opening it");
            }
            return made;
        } catch (IllegalArgumentException | IllegalStateException | UnsupportedOperationException error) {
            throw refused(model, name, delegate, error);
        } finally {
            if (made == null) {
                close(interpreter, delegate);
            }
        }
    }

    @Override
    public String engine() {
        return engine;
    }

    @Override
    public Arithmetic arithmetic() {
        return arithmetic;
    }

    @Override
    public List<String> notes() {
        return Collections.unmodifiableList(notes);
    }

    void note(String words) {
        notes.add(words);
    }

    /** By places in the first subgraph, which every file has; other entries by name, for places do not reach them. */
    @Override
    protected void run(Model entry, ByteBuffer[] inputs, ByteBuffer[] outputs) {
        for (ByteBuffer input : inputs) {
            input.rewind();
        }
        for (ByteBuffer output : outputs) {
            output.clear();
        }
        try {
            Bound bound = bound(entry, inputs, outputs);
            if (entry.subgraph == 0) {
                interpreter.runForMultipleInputsOutputs(bound.into, bound.outof);
            } else {
                interpreter.runSignature(bound.named, bound.made, entry.key);
            }
        } catch (IllegalArgumentException | IllegalStateException error) {
            if (cancelled) {
                throw new EdgeException.Cancelled();
            }
            throw new EdgeException.Model(model.name + ": " + engine + " failed in a run: " + oneLine(error), null);
        }
    }

    private Bound bound(Model entry, ByteBuffer[] inputs, ByteBuffer[] outputs) {
        Bound found = known.get(entry.key);
        if (found == null) {
            found = new Bound(entry, inputs, outputs, interpreter.getInputTensorCount());
            known.put(entry.key, found);
        }
        return found;
    }

    /** An entry's buffers as the interpreter takes them. */
    private static final class Bound {
        final Object[] into;
        final Map<Integer, Object> outof = new HashMap<>();
        final Map<String, Object> named = new HashMap<>();
        final Map<String, Object> made = new HashMap<>();

        Bound(Model entry, ByteBuffer[] inputs, ByteBuffer[] outputs, int count) {
            into = new Object[count];
            for (int place = 0; place < inputs.length; place++) {
                named.put(entry.inputs.get(place).name, inputs[place]);
                if (entry.subgraph == 0) {
                    into[entry.inputPlace(place)] = inputs[place];
                }
            }
            for (int place = 0; place < outputs.length; place++) {
                made.put(entry.outputs.get(place).name, outputs[place]);
                outof.put(entry.outputPlace(place), outputs[place]);
            }
        }
    }

    @Override
    protected void resetTensors() {
        interpreter.resetVariableTensors();
    }

    /** {@code resetVariableTensors} leaves resource variables as they are, and a delegate serves one interpreter. */
    @Override
    protected void reopen() {
        if (delegate != null) {
            throw noReset(model, name);
        }
        Interpreter fresh = interpreter(model, options, name, null);
        synchronized (notes) {
            fresh.setCancelled(cancelled);
            interpreter.close();
            interpreter = fresh;
        }
    }

    private static EdgeException.Target noReset(Model model, String name) {
        return new EdgeException.DelegateUnavailable(name + ": " + model.name + " keeps values in resource variables, which "
                + "only a new interpreter sets back, and a delegate serves one interpreter", "take xnnpack or cpu");
    }

    private static void checkResets(Model model, Engine.Options options, String name, Delegate delegate) {
        if (delegate != null && model.hasVariables && !options.keepState) {
            throw noReset(model, name);
        }
    }

    /** The engine's own kernels take all that is left; of delegates it tells the number of steps alone. */
    @Override
    public Facts.Placement placement() {
        return placement;
    }

    @Override
    public Integer steps() {
        return steps;
    }

    @Override
    public void cancel(boolean wanted) {
        synchronized (notes) {
            cancelled = wanted;
            Interpreter running = interpreter;
            if (running != null) {
                running.setCancelled(wanted);
            }
        }
    }

    @Override
    public void close() {
        Interpreter closing = interpreter;
        interpreter = null;
        close(closing, delegate);
        delegate = null;
    }

    /** The interpreter before its delegate, which it still refers to. */
    private static void close(Interpreter interpreter, Delegate delegate) {
        if (interpreter != null) {
            interpreter.close();
        }
        if (delegate != null) {
            delegate.close();
        }
    }

    /** Without XNNPACK beside an accelerator: the plan then counts what the accelerator left. */
    private static Interpreter interpreter(Model model, Engine.Options options, String name, Delegate delegate) {
        Interpreter.Options how = new Interpreter.Options();
        how.setNumThreads(options.threads);
        how.setUseXNNPACK(name.equals("xnnpack"));
        how.setCancellable(true);
        if (delegate != null) {
            how.addDelegate(delegate);
        }
        return new Interpreter(model.content, how);
    }

    private static EdgeException refused(Model model, String name, Delegate delegate, RuntimeException error) {
        String why = model.name + ": " + TensorFlowLite.runtimeVersion() + " refuses it: " + oneLine(error);
        return delegate == null ? new EdgeException.Model(why, "`edge-sdk inspect` shows its ops and the runtime they need")
                : new EdgeException.DelegateUnavailable(name + ": " + why, "take another delegate");
    }

    private static String oneLine(RuntimeException error) {
        return String.valueOf(error.getMessage()).trim().replaceAll("\\s+", " ");
    }
}
