package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** An executor with a direct buffer of its own for each input and output. */
public abstract class BufferedExecutor implements Executor {
    /** What it runs. */
    protected final Model model;
    /** In the signature's order. */
    protected final ByteBuffer[] inputs;
    /** In the signature's order. */
    protected final ByteBuffer[] outputs;

    /**
     * Takes the buffers' memory.
     *
     * @throws IllegalArgumentException an input or output is of a type that has no place in a buffer
     */
    protected BufferedExecutor(Model model) {
        this.model = model;
        inputs = buffers(model.inputs);
        outputs = buffers(model.outputs);
    }

    @Override
    public final ByteBuffer input(int place) {
        return inputs[place];
    }

    @Override
    public final ByteBuffer output(int place) {
        return outputs[place];
    }

    /** Nothing: what keeps state is an {@link InterpreterExecutor}. */
    @Override
    public void reset() { }

    /** None, but of an {@link InterpreterExecutor}. */
    @Override
    public Executor beside(Model entry) {
        throw new EdgeException.Target(engine() + " runs one signature of a model", "take xnnpack or cpu");
    }

    private static ByteBuffer[] buffers(List<Port> ports) {
        ByteBuffer[] made = new ByteBuffer[ports.size()];
        for (int place = 0; place < made.length; place++) {
            Port port = ports.get(place);
            if (port.type() == null) {
                throw new IllegalArgumentException(port + " cannot be passed through TensorFlow Lite's Java API");
            }
            made[place] = ByteBuffer.allocateDirect((int) port.sizeBytes()).order(ByteOrder.nativeOrder());
        }
        return made;
    }
}
