package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Pre- and post-processing: the steps of a manifest, read strictly and done as FORMAT.md defines them. */
final class Processing {
    private static final int MAX_STEPS = 32;
    private static final String[] CASTS = {"float32", "float16", "uint8", "int8", "int16", "int32", "int64"};

    private static final class Named {
        final boolean isImage;
        final List<Table> steps;

        Named(boolean isImage, List<Table> steps) {
            this.isImage = isImage;
            this.steps = steps;
        }
    }

    private final Map<String, Named> inputs = new LinkedHashMap<>();
    private final Map<String, Named> outputs = new LinkedHashMap<>();

    /**
     * Reads all steps.
     *
     * @throws EdgeException.BundleFormat an unknown step, a key unknown or missing, or a value that makes no sense
     */
    Processing(Object raw) {
        Table table = new Table(raw, "raw_processing", "inputs", "outputs");
        for (Object one : table.list("inputs")) {
            Table input = new Table(one, table.path("inputs"), "name", "kind", "steps");
            boolean isImage = input.oneOf("kind", "image", "values").equals("image");
            add(inputs, input, new Named(isImage, steps(input, true)));
        }
        for (Object one : table.list("outputs")) {
            Table output = new Table(one, table.path("outputs"), "name", "steps");
            add(outputs, output, new Named(false, steps(output, false)));
        }
    }

    boolean takesPicture(String input) {
        return inputs.containsKey(input) && inputs.get(input).isImage;
    }

    EdgeArray preprocess(String name, EdgeArray given) {
        Named input = inputs.get(name);
        if (input == null) {
            return given;
        }
        if (input.isImage) {
            checkPicture(name, given);
        }
        EdgeArray values = given;
        for (Table step : input.steps) {
            try {
                values = pre(values, step);
            } catch (IllegalArgumentException error) {
                throw new EdgeException.BundleFormat("input `" + name + "`: step " + step.text("op") + " cannot take "
                        + values + ": " + error.getMessage(), null);
            }
        }
        return values;
    }

    Bundle.Result postprocess(String name, EdgeArray given, List<String> labels) {
        Named output = outputs.get(name);
        Bundle.Result made = new Bundle.Result(given, null);
        for (Table step : output == null ? new ArrayList<Table>() : output.steps) {
            String op = step.text("op");
            if (made.ranking != null) {
                throw new EdgeException.BundleFormat("output `" + name + "`: step " + op + " cannot follow top_k", null);
            }
            made = op.equals("top_k") ? new Bundle.Result(null, PostSteps.ranking(made.values, (int) step.whole("k"),
                    step.number("min_score"), labels)) : new Bundle.Result(PostSteps.apply(op, made.values), null);
        }
        return made;
    }

    /**
     * Tries the steps on a picture that is neither square nor a multiple of anything usual.
     *
     * @throws EdgeException.BundleFormat they do not make what an input takes, or belong to nothing
     */
    void check(Variant variant) {
        for (Map.Entry<String, Named> input : inputs.entrySet()) {
            Port port = port(variant.inputs, input.getKey());
            EdgeArray made = input.getValue().isImage
                    ? preprocess(port.name, EdgeArray.zeros(DType.UINT8, 37, 53, 3)) : null;
            if (made != null && (made.dtype != port.real().type() || !Arrays.equals(made.shape(), port.shape()))) {
                throw new EdgeException.BundleFormat("the steps of input `" + port.name + "` make " + made + ", it takes "
                        + port.real(), null);
            }
        }
        for (Map.Entry<String, Named> output : outputs.entrySet()) {
            port(variant.outputs, output.getKey());
            List<Table> steps = output.getValue().steps;
            for (int place = 0; place + 1 < steps.size(); place++) {
                if (steps.get(place).text("op").equals("top_k")) {
                    throw new EdgeException.BundleFormat("output `" + output.getKey() + "`: no step can follow top_k", null);
                }
            }
        }
    }

    private static Port port(List<Port> ports, String name) {
        for (Port port : ports) {
            if (port.name.equals(name)) {
                return port;
            }
        }
        throw new EdgeException.BundleFormat("processing of `" + name + "`, which a variant does not have", null);
    }

    private static void checkPicture(String name, EdgeArray picture) {
        int[] shape = picture.shape();
        if (picture.dtype != DType.UINT8 || shape.length != 3 || shape[2] != 3 || picture.size() == 0) {
            throw new EdgeException.Signature("input `" + name + "`: expected a picture of uint8[height, width, 3], got "
                    + picture, "decode it to RGB, upright, 8 bits a channel");
        }
    }

    private static EdgeArray pre(EdgeArray values, Table step) {
        switch (step.text("op")) {
            case "resize": return Resize.apply(values, step);
            case "center_crop": return PreSteps.centerCrop(values, step.small("height"), step.small("width"));
            case "channels": return PreSteps.channels(values, step.text("order"));
            case "normalize": return PreSteps.normalize(values, step);
            case "layout": return step.text("order").equals("chw") ? PreSteps.planes(values) : values;
            case "cast": return PreSteps.cast(values, DType.of(step.text("dtype")));
            default: return PreSteps.batch(values);
        }
    }

    private static void add(Map<String, Named> all, Table table, Named made) {
        if (all.put(table.text("name"), made) != null) {
            throw Table.fault(table.where, "a name is there twice");
        }
    }

    private static List<Table> steps(Table table, boolean isInput) {
        List<Object> listed = table.list("steps");
        if (listed.size() > MAX_STEPS) {
            throw Table.fault(table.where, listed.size() + " steps, at most " + MAX_STEPS + " are allowed");
        }
        List<Table> made = new ArrayList<>();
        for (Object one : listed) {
            Object op = one instanceof Map ? ((Map<?, ?>) one).get("op") : null;
            made.add(isInput ? preStep(one, op, table.path("steps")) : postStep(one, op, table.path("steps")));
        }
        return made;
    }

    private static Table preStep(Object value, Object op, String where) {
        Table step;
        switch (String.valueOf(op)) {
            case "resize":
                step = new Table(value, where, "op", "height", "width", "fit", "method", "antialias", "pad_value");
                Resize.check(step);
                return step;
            case "center_crop":
                step = new Table(value, where, "op", "height", "width");
                checkSize(step);
                return step;
            case "channels":
                step = new Table(value, where, "op", "order");
                step.oneOf("order", "rgb", "bgr", "gray");
                return step;
            case "normalize":
                step = new Table(value, where, "op", "scale", "mean", "std");
                checkNormalize(step);
                return step;
            case "layout":
                step = new Table(value, where, "op", "order");
                step.oneOf("order", "hwc", "chw");
                return step;
            case "cast":
                step = new Table(value, where, "op", "dtype");
                step.oneOf("dtype", CASTS);
                return step;
            case "batch":
                return new Table(value, where, "op");
            default:
                throw Table.fault(where, "unknown step `" + Table.cut(String.valueOf(op)) + "`");
        }
    }

    private static Table postStep(Object value, Object op, String where) {
        if ("top_k".equals(op)) {
            Table step = new Table(value, where, "op", "k", "min_score");
            step.number("min_score");
            if (step.small("k") < 1) {
                throw Table.fault(where, "top_k of " + step.whole("k") + ", expected 1 or more");
            }
            return step;
        }
        if (!Arrays.asList("softmax", "sigmoid", "argmax").contains(op)) {
            throw Table.fault(where, "unknown step `" + Table.cut(String.valueOf(op)) + "`");
        }
        return new Table(value, where, "op");
    }

    static void checkSize(Table step) {
        long height = step.small("height"), width = step.small("width");
        if (height < 1 || width < 1 || height * width > Resize.MAX_PIXELS) {
            throw Table.fault(step.where, step.text("op") + " to " + height + "x" + width + ", expected 1 to "
                    + Resize.MAX_PIXELS + " pixels");
        }
    }

    private static void checkNormalize(Table step) {
        step.number("scale");
        boolean hasZero = step.numbers("mean").length == 0 || step.numbers("std").length == 0;
        for (double one : step.numbers("std")) {
            hasZero |= one == 0;
        }
        if (hasZero) {
            throw Table.fault(step.where, "normalize needs a mean, and a std that is not 0");
        }
    }
}
