package dev.edgesdk.tflite;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import dev.edgesdk.edge.BufferedExecutor;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Facts;
import dev.edgesdk.edge.Model;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.ExecutionPlan;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.TensorFlowLite;

/** A model in TensorFlow Lite's interpreter, with a delegate or none. */
final class TfliteExecutor extends BufferedExecutor {
    private final String engine = "tensorflow-lite " + TensorFlowLite.runtimeVersion();
    private final Arithmetic arithmetic;
    private final boolean resets;
    private final List<String> notes = new ArrayList<>();
    private final Object[] into;
    private final Map<Integer, Object> outof = new HashMap<>();
    private final Facts.Placement placement;
    private final int steps;
    private volatile Interpreter interpreter;
    private Delegate delegate;
    private volatile boolean cancelled;

    private TfliteExecutor(Model model, Engine.Options options, String name, Interpreter interpreter, Delegate delegate,
            Arithmetic arithmetic) {
        super(model);
        this.arithmetic = arithmetic;
        this.delegate = delegate;
        this.interpreter = interpreter;
        resets = model.isStateful && !options.keepState;
        into = new Object[interpreter.getInputTensorCount()];
        for (int place = 0; place < inputs.length; place++) {
            into[model.inputPlace(place)] = inputs[place];
        }
        for (int place = 0; place < outputs.length; place++) {
            outof.put(model.outputPlace(place), outputs[place]);
        }
        placement = name.equals("cpu") ? new Facts.Placement(0, 0, null) : null;
        steps = ExecutionPlan.length(interpreter);
    }

    /**
     * Opens a model; on failure everything is closed.
     *
     * @param delegate owned from now on, or null
     * @throws EdgeException.Model the engine refuses the model
     * @throws EdgeException.DelegateUnavailable the delegate does
     */
    static TfliteExecutor open(Model model, Engine.Options options, String name, Delegate delegate,
            Arithmetic arithmetic) {
        Interpreter interpreter = null;
        TfliteExecutor made = null;
        try {
            interpreter = interpreter(model, options, name, delegate);
            made = new TfliteExecutor(model, options, name, interpreter, delegate, arithmetic);
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

    @Override
    public void invoke() {
        try {
            if (resets) {
                interpreter.resetVariableTensors();
            }
            for (ByteBuffer input : inputs) {
                input.rewind();
            }
            for (ByteBuffer output : outputs) {
                output.clear();
            }
            interpreter.runForMultipleInputsOutputs(into, outof);
        } catch (IllegalArgumentException | IllegalStateException error) {
            if (cancelled) {
                throw new EdgeException.Cancelled();
            }
            throw new EdgeException.Model(model.name + ": " + engine + " failed in a run: " + oneLine(error), null);
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
        cancelled = wanted;
        Interpreter running = interpreter;
        if (running != null) {
            running.setCancelled(wanted);
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
