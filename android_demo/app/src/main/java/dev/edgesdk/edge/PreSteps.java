package dev.edgesdk.edge;

/** Steps that make an input; the arithmetic is FORMAT.md's. Another size or rank is an IllegalArgumentException. */
final class PreSteps {
    private PreSteps() { }

    static EdgeArray centerCrop(EdgeArray values, int height, int width) {
        int[] shape = image(values);
        if (shape[0] < height || shape[1] < width) {
            throw new IllegalArgumentException("it is smaller than " + height + "x" + width);
        }
        int top = (int) Math.rint((shape[0] - height) / 2.0), left = (int) Math.rint((shape[1] - width) / 2.0);
        double[] made = new double[height * width * shape[2]];
        int at = 0;
        for (int row = 0; row < height; row++) {
            int from = ((top + row) * shape[1] + left) * shape[2];
            for (int index = 0; index < width * shape[2]; index++) {
                made[at++] = values.get(from + index);
            }
        }
        return EdgeArray.of(values.dtype, made, height, width, shape[2]);
    }

    static EdgeArray channels(EdgeArray values, String order) {
        int[] shape = values.shape();
        if (order.equals("rgb")) {
            return values;
        }
        if (shape.length == 0) {
            throw new IllegalArgumentException("it has no channels");
        }
        int depth = shape[shape.length - 1];
        return order.equals("bgr") ? reversed(values, shape, depth) : gray(values, shape, depth);
    }

    /** ITU-R BT.601 luma in 16-bit fixed point, as Pillow and libjpeg have it. */
    private static EdgeArray gray(EdgeArray values, int[] shape, int depth) {
        if (depth != 3) {
            throw new IllegalArgumentException("it has " + depth + " channels, not 3");
        }
        double[] made = new double[values.size() / depth];
        for (int index = 0; index < made.length; index++) {
            int at = index * depth;
            long luma = 19595L * (long) values.get(at) + 38470L * (long) values.get(at + 1)
                    + 7471L * (long) values.get(at + 2) + 0x8000 >> 16;
            made[index] = luma & 0xFF;
        }
        shape[shape.length - 1] = 1;
        return EdgeArray.of(DType.UINT8, made, shape);
    }

    private static EdgeArray reversed(EdgeArray values, int[] shape, int depth) {
        double[] made = new double[values.size()];
        for (int index = 0; index < made.length; index++) {
            made[index] = values.get(index - index % depth + depth - 1 - index % depth);
        }
        return EdgeArray.of(values.dtype, made, shape);
    }

    static EdgeArray normalize(EdgeArray values, Table step) {
        int[] shape = values.shape();
        float scale = (float) step.number("scale");
        double[] mean = step.numbers("mean"), std = step.numbers("std");
        int depth = shape.length == 0 ? 1 : shape[shape.length - 1];
        checkChannels(mean.length, depth);
        checkChannels(std.length, depth);
        double[] made = new double[values.size()];
        for (int index = 0; index < made.length; index++) {
            // Each operation is rounded to float32.
            float scaled = (float) values.get(index) * scale;
            float shifted = scaled - (float) mean[mean.length == 1 ? 0 : index % depth];
            made[index] = shifted / (float) std[std.length == 1 ? 0 : index % depth];
        }
        return EdgeArray.of(DType.FLOAT32, made, shape);
    }

    private static void checkChannels(int given, int depth) {
        if (given != 1 && given != depth) {
            throw new IllegalArgumentException(given + " values for " + depth + " channels");
        }
    }

    /** Axes (2, 0, 1). */
    static EdgeArray planes(EdgeArray values) {
        int[] shape = image(values);
        int area = shape[0] * shape[1];
        double[] made = new double[values.size()];
        for (int index = 0; index < made.length; index++) {
            made[index % shape[2] * area + index / shape[2]] = values.get(index);
        }
        return EdgeArray.of(values.dtype, made, shape[2], shape[0], shape[1]);
    }

    static EdgeArray cast(EdgeArray values, DType dtype) {
        return EdgeArray.of(dtype, values.doubles(), values.shape());
    }

    static EdgeArray batch(EdgeArray values) {
        int[] shape = values.shape();
        int[] made = new int[shape.length + 1];
        made[0] = 1;
        System.arraycopy(shape, 0, made, 1, shape.length);
        return EdgeArray.wrap(values.dtype, values.buffer(), made);
    }

    static int[] image(EdgeArray values) {
        int[] shape = values.shape();
        if (shape.length != 3) {
            throw new IllegalArgumentException("it has " + shape.length + " axes, not 3");
        }
        return shape;
    }
}
