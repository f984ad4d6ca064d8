package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/** Steps on an output's real values, over the last axis; computed in doubles. */
final class PostSteps {
    private PostSteps() { }

    static EdgeArray apply(String op, EdgeArray values) {
        int[] shape = values.shape();
        if (op.equals("sigmoid")) {
            double[] made = values.doubles();
            for (int index = 0; index < made.length; index++) {
                made[index] = 0.5 * (1 + Math.tanh(0.5 * made[index]));
            }
            return EdgeArray.of(DType.FLOAT32, made, shape);
        }
        if (shape.length == 0 || shape[shape.length - 1] == 0) {
            throw new EdgeException.BundleFormat("step " + op + " cannot take " + values, null);
        }
        int depth = shape[shape.length - 1];
        return op.equals("softmax") ? softmax(values, shape, depth) : argmax(values, shape, depth);
    }

    private static EdgeArray softmax(EdgeArray values, int[] shape, int depth) {
        double[] made = values.doubles();
        for (int from = 0; from < made.length; from += depth) {
            double largest = Double.NEGATIVE_INFINITY, sum = 0;
            for (int index = from; index < from + depth; index++) {
                largest = Math.max(largest, made[index]);
            }
            for (int index = from; index < from + depth; index++) {
                made[index] = Math.exp(made[index] - largest);
                sum += made[index];
            }
            for (int index = from; index < from + depth; index++) {
                made[index] /= sum;
            }
        }
        return EdgeArray.of(DType.FLOAT32, made, shape);
    }

    private static EdgeArray argmax(EdgeArray values, int[] shape, int depth) {
        double[] made = new double[values.size() / depth];
        for (int row = 0; row < made.length; row++) {
            int best = 0;
            for (int index = 1; index < depth; index++) {
                double most = values.get(row * depth + best), one = values.get(row * depth + index);
                // As numpy has it, the first NaN is the largest.
                if (one > most || Double.isNaN(one) && !Double.isNaN(most)) {
                    best = index;
                }
            }
            made[row] = best;
        }
        return EdgeArray.of(DType.INT64, made, Arrays.copyOf(shape, shape.length - 1));
    }

    static List<List<Bundle.Scored>> ranking(EdgeArray values, int k, double least, List<String> labels) {
        int[] shape = values.shape();
        int depth = shape.length == 0 ? 0 : shape[shape.length - 1];
        if (depth == 0) {
            throw new EdgeException.BundleFormat("step top_k cannot take " + values, null);
        }
        List<List<Bundle.Scored>> made = new ArrayList<>();
        for (int from = 0; from < values.size(); from += depth) {
            made.add(largest(values, from, depth, k, least, labels));
        }
        return made;
    }

    private static List<Bundle.Scored> largest(final EdgeArray values, final int from, int depth, int k, double least,
            List<String> labels) {
        List<Integer> order = new ArrayList<>();
        for (int index = 0; index < depth; index++) {
            order.add(index);
        }
        // A stable sort: of equals the first stays first.
        Collections.sort(order, new Comparator<Integer>() {
            @Override
            public int compare(Integer one, Integer other) {
                // Adding zero makes one of both zeros.
                return Double.compare(0.0 - values.get(from + one), 0.0 - values.get(from + other));
            }
        });
        List<Bundle.Scored> made = new ArrayList<>();
        for (int index : order.subList(0, Math.min(k, depth))) {
            double score = values.get(from + index);
            if (score >= least) {
                made.add(new Bundle.Scored(index, score, index < labels.size() ? labels.get(index) : null));
            }
        }
        return made;
    }
}
