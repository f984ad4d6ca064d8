package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Inputs and outputs of an open model: values checked, rounded to a scale where they are real, and copied once. */
final class Ports {
    final Model model;
    final Executor executor;
    private final boolean real;
    private final boolean passesNan;

    Ports(Model model, Executor executor, SessionOptions options) {
        this(model, executor, options.values == SessionOptions.Values.REAL, options.passesNan);
    }

    Ports(Model model, Executor executor, boolean real, boolean passesNan) {
        this.model = model;
        this.executor = executor;
        this.real = real;
        this.passesNan = passesNan;
    }

    /** Of another entry of the same open model. */
    Ports beside(Model entry) {
        return new Ports(entry, executor.beside(entry), real, passesNan);
    }

    /** As a user sees them: of a quantized model in real values, floats, unless raw ones were asked for. */
    List<Port> shown(List<Port> ports) {
        List<Port> made = new ArrayList<>();
        for (Port port : ports) {
            made.add(real ? port.real() : port);
        }
        return Collections.unmodifiableList(made);
    }

    ByteBuffer rawInput(String name) {
        return executor.input(place(model.inputs, name));
    }

    ByteBuffer rawOutput(String name) {
        return executor.output(place(model.outputs, name));
    }

    private static int place(List<Port> ports, String name) {
        for (int index = 0; index < ports.size(); index++) {
            if (ports.get(index).name.equals(name)) {
                return index;
            }
        }
        throw new EdgeException.Signature("`" + name + "` does not exist", "the names are " + ports);
    }

    Map<String, EdgeArray> run(Map<String, EdgeArray> inputs) {
        checkNames(model.inputs, inputs);
        for (int place = 0; place < model.inputs.size(); place++) {
            Port port = model.inputs.get(place);
            ByteBuffer into = executor.input(place);
            into.clear();
            write(port, inputs.get(port.name), into);
        }
        executor.invoke();
        Map<String, EdgeArray> made = new LinkedHashMap<>();
        for (int place = 0; place < model.outputs.size(); place++) {
            Port port = model.outputs.get(place);
            ByteBuffer from = executor.output(place);
            from.clear();
            EdgeArray raw = EdgeArray.wrap(port.type(), from, port.shape());
            made.put(port.name, real && port.isScaled() ? toReal(raw, port) : raw.copy());
        }
        return made;
    }

    /** Stored values as real ones, in float32 arithmetic as Python's. */
    static EdgeArray toReal(EdgeArray raw, Port port) {
        float scale = (float) (double) port.scale, zero = port.zeroPoint;
        float[] made = raw.floats();
        for (int index = 0; index < made.length; index++) {
            made[index] = (made[index] - zero) * scale;
        }
        return EdgeArray.of(made, port.shape());
    }

    static void checkNames(List<Port> ports, Map<String, EdgeArray> inputs) {
        for (Port port : ports) {
            if (inputs.get(port.name) == null) {
                throw new EdgeException.Signature("input `" + port.name + "` is missing", "the model takes "
                        + ports);
            }
        }
        if (inputs.size() != ports.size()) {
            throw new EdgeException.Signature("inputs " + inputs.keySet() + " are given", "the model takes "
                    + ports);
        }
    }

    private void write(Port port, EdgeArray values, ByteBuffer into) {
        if (!Arrays.equals(values.shape(), port.shape())) {
            throw new EdgeException.Signature("input `" + port.name + "`: expected shape "
                    + Arrays.toString(port.shape()) + ", got " + Arrays.toString(values.shape()), null);
        }
        boolean rounds = real && port.isScaled() && values.dtype.isFloat();
        if (values.dtype != port.type() && !rounds) {
            String also = real && port.isScaled() ? " or float32" : "";
            throw new EdgeException.Signature("input `" + port.name + "`: expected dtype " + port.dtype + also + ", got "
                    + values.dtype.word(), null);
        }
        if (rounds) {
            round(port, values, into);
            return;
        }
        if (values.dtype == DType.FLOAT32 && !passesNan) {
            checkFinite(port, values);
        }
        into.put(values.buffer());
    }

    /** Steps of the scale: divided, rounded half to even, shifted and clipped in float32. */
    private static void round(Port port, EdgeArray values, ByteBuffer into) {
        float scale = (float) (double) port.scale, zero = port.zeroPoint;
        float least = (float) port.type().least(), largest = (float) port.type().largest();
        boolean wide = port.type() == DType.INT16;
        into.order(ByteOrder.LITTLE_ENDIAN);
        float[] floats = values.floats();
        for (int index = 0; index < floats.length; index++) {
            float steps = (float) Math.rint(floats[index] / scale) + zero;
            if (Float.isNaN(floats[index]) || Float.isInfinite(floats[index])) {
                throw notFinite(port, index);
            }
            int stored = (int) Math.min(Math.max(steps, least), largest);
            if (wide) {
                into.putShort((short) stored);
            } else {
                into.put((byte) stored);
            }
        }
    }

    private static void checkFinite(Port port, EdgeArray values) {
        FloatBuffer floats = values.buffer().asFloatBuffer();
        for (int index = 0; index < floats.limit(); index++) {
            float value = floats.get(index);
            // Neither NaN nor an infinity less itself is zero.
            if (value - value != 0) {
                throw notFinite(port, index);
            }
        }
    }

    private static EdgeException.Signature notFinite(Port port, int index) {
        return new EdgeException.Signature("input `" + port.name + "` holds values that are not finite, the first is number "
                + index, "a sensor or a normalisation went wrong; passesNan(true) lets them into a float model");
    }
}
