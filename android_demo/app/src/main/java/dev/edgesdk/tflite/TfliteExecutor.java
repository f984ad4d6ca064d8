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
    /** Null where nothing is to be opened anew. */
    private final Engine.Options again;
    private final String name;
    private final Facts.Placement placement;
    private final int steps;
    private volatile Interpreter interpreter;
    private Delegate delegate;
    private volatile boolean cancelled;
    private boolean ran;

    private TfliteExecutor(Model model, Engine.Options options, String name, Interpreter interpreter, Delegate delegate,
            Arithmetic arithmetic) {
        super(model);
        this.arithmetic = arithmetic;
        this.delegate = delegate;
        this.interpreter = interpreter;
        this.name = name;
        resets = model.isStateful && !options.keepState;
        again = resets && model.hasVariables ? options : null;
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
            if (made.again != null) {
                made.note("its resource variables are set back by opening it anew before each run, which takes as long "
                        + "as opening it");
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

    @Override
    public void invoke() {
        try {
            if (again != null && ran) {
                reopen();
            } else if (resets) {
                interpreter.resetVariableTensors();
            }
            ran = true;
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

    /** Resource variables begin anew in a new interpreter alone: {@code resetVariableTensors} leaves them as they are. */
    private void reopen() {
        Interpreter fresh = interpreter(model, again, name, null);
        synchronized (into) {
            fresh.setCancelled(cancelled);
            interpreter.close();
            interpreter = fresh;
        }
    }

    private static void checkResets(Model model, Engine.Options options, String name, Delegate delegate) {
        if (delegate != null && model.hasVariables && !options.keepState) {
            throw new EdgeException.DelegateUnavailable(name + ": " + model.name + " keeps values in resource variables, "
                    + "which before each run only a new interpreter sets back, and a delegate serves one interpreter",
                    "take xnnpack or cpu, or keep the state");
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
        synchronized (into) {
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
