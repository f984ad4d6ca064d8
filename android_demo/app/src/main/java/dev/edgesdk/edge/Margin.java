package dev.edgesdk.edge;

import java.util.Locale;

/** The largest difference between values that were named instead of each other, and how much of it rounding explains. */
final class Margin {
    private final double found;
    private final double allowed;
    private final boolean whole;

    private Margin(double found, double allowed, boolean whole) {
        this.found = found;
        this.allowed = allowed;
        this.whole = whole;
    }

    /** What is not explained: above 0 where it is too much. */
    double excess() {
        return found - allowed;
    }

    /**
     * Of ranks that came out otherwise: places named instead of others hold values that may differ by no more than both
     * sides' values moved, twice the largest difference.
     *
     * @param values of one side, {@code moved} of the other; places of them along the axis likewise
     */
    static Margin of(EdgeArray values, EdgeArray moved, EdgeArray ours, EdgeArray theirs, int axis) {
        double most = 0, error = 0;
        for (int index = 0; index < values.size(); index++) {
            error = Math.max(error, Math.abs(values.get(index) - moved.get(index)));
        }
        int[] shape = values.shape();
        int inner = 1, rows = shape[axis];
        for (int place = axis + 1; place < shape.length; place++) {
            inner *= shape[place];
        }
        int ranks = ours.size() / Math.max(1, values.size() / Math.max(1, rows));
        for (int index = 0; index < ours.size(); index++) {
            int outer = index / inner / Math.max(1, ranks), column = index % inner;
            double theirPlace = theirs.get(index);
            if (theirPlace < 0 || theirPlace >= rows) {
                return new Margin(Double.POSITIVE_INFINITY, 2 * error, !values.dtype.isFloat());
            }
            double one = values.get((outer * rows + (int) ours.get(index)) * inner + column);
            double other = values.get((outer * rows + (int) theirPlace) * inner + column);
            most = Math.max(most, Math.abs(one - other));
        }
        return new Margin(most, 2 * error, !values.dtype.isFloat());
    }

    /** {@code 1.2e-07}, or {@code 1 steps} of integers. */
    @Override
    public String toString() {
        String number = found == Math.rint(found) && Math.abs(found) < 1000 ? String.valueOf((long) found)
                : String.format(Locale.ROOT, "%.2e", found);
        return whole ? number + " steps" : number;
    }
}
