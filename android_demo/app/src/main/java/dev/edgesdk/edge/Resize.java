package dev.edgesdk.edge;

/** The step {@code resize}: bilinear or nearest, with Pillow's antialiasing; sums in doubles, rows after columns. */
final class Resize {
    static final int MAX_PIXELS = 1 << 24;

    private Resize() { }

    static void check(Table step) {
        Processing.checkSize(step);
        step.oneOf("fit", "stretch", "crop", "pad", "shorter");
        step.oneOf("method", "bilinear", "nearest");
        step.flag("antialias");
        if (step.text("fit").equals("shorter") && step.small("height") != step.small("width")) {
            throw Table.fault(step.where, "resize of the shorter side: height and width must be the same");
        }
        if (step.small("pad_value") < 0 || step.small("pad_value") > 255) {
            throw Table.fault(step.where, "pad_value " + step.whole("pad_value") + " is no 8-bit value");
        }
    }

    static EdgeArray apply(EdgeArray picture, Table step) {
        int[] shape = PreSteps.image(picture);
        int height = shape[0], width = shape[1], depth = shape[2];
        int rows = step.small("height"), columns = step.small("width");
        double top = 0, left = 0, boxHeight = height, boxWidth = width;
        String fit = step.text("fit");
        if (fit.equals("crop")) {
            double ratio = (double) rows / columns;
            boxHeight = Math.min(height, width * ratio);
            boxWidth = Math.min(width, height / ratio);
            top = (height - boxHeight) / 2;
            left = (width - boxWidth) / 2;
        } else if (fit.equals("pad")) {
            double factor = Math.min((double) rows / height, (double) columns / width);
            rows = (int) Math.max(1, Math.floor(height * factor + 0.5));
            columns = (int) Math.max(1, Math.floor(width * factor + 0.5));
        } else if (fit.equals("shorter")) {
            long size = rows;
            long other = size * Math.max(height, width) / Math.min(height, width);
            if (size * other > MAX_PIXELS) {
                throw new IllegalArgumentException("it would become " + size + "x" + other + ", more than " + MAX_PIXELS
                        + " pixels");
            }
            rows = (int) (height <= width ? size : other);
            columns = (int) (height <= width ? other : size);
        }
        Axis down = new Axis(height, rows, top, boxHeight, step), across = new Axis(width, columns, left, boxWidth, step);
        double[] made = resampled(picture, shape, down, across);
        return fit.equals("pad") ? padded(made, rows, columns, depth, step)
                : EdgeArray.of(DType.UINT8, made, rows, columns, depth);
    }

    /** For each result which pixels it takes, from {@code first} on, and how much of each. */
    private static final class Axis {
        final int[] first;
        final double[][] weights;

        Axis(int extent, int count, double begin, double length, Table step) {
            first = new int[count];
            weights = new double[count][];
            double scale = length / count;
            double reach = step.flag("antialias") ? Math.max(scale, 1) : 1;
            boolean nearest = step.text("method").equals("nearest");
            for (int index = 0; index < count; index++) {
                double centre = begin + (index + 0.5) * scale;
                if (nearest) {
                    first[index] = (int) Math.min(Math.max(Math.floor(centre), 0), extent - 1);
                    weights[index] = new double[] {1};
                } else {
                    spread(index, extent, centre, reach);
                }
            }
        }

        private void spread(int index, int extent, double centre, double reach) {
            int from = (int) Math.max(0, Math.floor(centre - reach - 0.5));
            int to = (int) Math.min(extent, Math.ceil(centre + reach + 0.5));
            double[] made = new double[to - from];
            double sum = 0;
            for (int pixel = from; pixel < to; pixel++) {
                made[pixel - from] = Math.max(0, 1 - Math.abs(pixel + 0.5 - centre) / reach);
                sum += made[pixel - from];
            }
            for (int place = 0; place < made.length; place++) {
                made[place] /= sum;
            }
            first[index] = from;
            weights[index] = made;
        }
    }

    private static double[] resampled(EdgeArray picture, int[] shape, Axis down, Axis across) {
        int width = shape[1], depth = shape[2], rows = down.first.length, columns = across.first.length;
        double[] made = new double[rows * columns * depth];
        double[] line = new double[width * depth];
        for (int row = 0; row < rows; row++) {
            java.util.Arrays.fill(line, 0);
            for (int place = 0; place < down.weights[row].length; place++) {
                int from = (down.first[row] + place) * width * depth;
                double weight = down.weights[row][place];
                for (int index = 0; weight != 0 && index < line.length; index++) {
                    line[index] += weight * picture.get(from + index);
                }
            }
            for (int column = 0; column < columns; column++) {
                int from = across.first[column] * depth;
                for (int channel = 0; channel < depth; channel++) {
                    double sum = 0;
                    double[] weights = across.weights[column];
                    for (int place = 0; place < weights.length; place++) {
                        sum += weights[place] * line[from + place * depth + channel];
                    }
                    made[(row * columns + column) * depth + channel] = Math.floor(sum + 0.5);
                }
            }
        }
        return made;
    }

    private static EdgeArray padded(double[] values, int rows, int columns, int depth, Table step) {
        int height = step.small("height"), width = step.small("width");
        double[] made = new double[height * width * depth];
        java.util.Arrays.fill(made, step.small("pad_value"));
        int top = Math.floorDiv(height - rows, 2), left = Math.floorDiv(width - columns, 2);
        for (int row = 0; row < rows; row++) {
            System.arraycopy(values, row * columns * depth, made, ((top + row) * width + left) * depth, columns * depth);
        }
        return EdgeArray.of(DType.UINT8, made, height, width, depth);
    }
}
