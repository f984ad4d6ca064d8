package dev.edgesdk.bench;

import java.util.Arrays;
import java.util.Random;

/** Statistics of latencies, as in {@code edge_sdk/measure/statistics.py}: nearest-rank percentiles with intervals. */
public final class Statistics {
    private static final int RESAMPLES = 1000, BLOCKS = 25, FEWEST = 10;

    private final double[] samples;
    private final double[] sorted;

    /** Of samples in the order in which they were taken, one or more. */
    public Statistics(double[] samples) {
        if (samples.length == 0) {
            throw new IllegalArgumentException("no samples");
        }
        this.samples = samples.clone();
        this.sorted = samples.clone();
        Arrays.sort(sorted);
    }

    /** How many there are. */
    public int count() {
        return samples.length;
    }

    /** The sample that {@code share} of all do not exceed (nearest rank); the share is in (0, 1]. */
    public double quantile(double share) {
        return sorted[rank(share, samples.length) - 1];
    }

    /** Arithmetic mean. */
    public double mean() {
        return sum() / samples.length;
    }

    /** All together. */
    public double sum() {
        double sum = 0;
        for (double sample : samples) {
            sum += sample;
        }
        return sum;
    }

    /** The least. */
    public double min() {
        return sorted[0];
    }

    /** The largest. */
    public double max() {
        return sorted[sorted.length - 1];
    }

    /** Of the population. */
    public double deviation() {
        double mean = mean();
        double squares = 0;
        for (double sample : samples) {
            squares += (sample - mean) * (sample - mean);
        }
        return Math.sqrt(squares / samples.length);
    }

    /**
     * The 95 % intervals of quantiles and of the mean (last), low and high; null of fewer than 10 samples. Neighbours in
     * time resemble each other, so that whole blocks are drawn (Carlstein, Ann. Statist. 14(3), 1986).
     */
    public double[][] intervals(double[] shares) {
        if (samples.length < FEWEST) {
            return null;
        }
        double[][] drawn = drawn(shares);
        double[][] made = new double[shares.length + 1][];
        for (int column = 0; column < made.length; column++) {
            double[] values = drawn[column];
            Arrays.sort(values);
            made[column] = new double[] {interpolated(values, 0.025), interpolated(values, 0.975)};
        }
        return made;
    }

    /** Quantiles and the mean of resampled blocks. Blocks are weights of the sorted samples: no draw is sorted. */
    private double[][] drawn(double[] shares) {
        int count = samples.length;
        int blocks = Math.min(BLOCKS, count);
        final int[] blockOf = new int[count];
        double[] sums = new double[blocks];
        int[] sizes = new int[blocks];
        Integer[] order = new Integer[count];
        for (int index = 0; index < count; index++) {
            int block = (int) ((long) index * blocks / count);
            blockOf[index] = block;
            sums[block] += samples[index];
            sizes[block]++;
            order[index] = index;
        }
        Arrays.sort(order, new java.util.Comparator<Integer>() {
            @Override
            public int compare(Integer left, Integer right) {
                return Double.compare(samples[left], samples[right]);
            }
        });
        Random random = new Random(0);
        double[][] made = new double[shares.length + 1][RESAMPLES];
        for (int row = 0; row < RESAMPLES; row++) {
            int[] weights = new int[blocks];
            double sum = 0;
            long size = 0;
            for (int draw = 0; draw < blocks; draw++) {
                int block = random.nextInt(blocks);
                weights[block]++;
                sum += sums[block];
                size += sizes[block];
            }
            made[shares.length][row] = sum / size;
            for (int column = 0; column < shares.length; column++) {
                made[column][row] = weighted(order, blockOf, weights, rank(shares[column], size));
            }
        }
        return made;
    }

    private double weighted(Integer[] order, int[] blockOf, int[] weights, int rank) {
        long height = 0;
        for (Integer place : order) {
            height += weights[blockOf[place]];
            if (height >= rank) {
                return samples[place];
            }
        }
        return max();
    }

    private static int rank(double share, long count) {
        return Math.max(1, (int) Math.ceil(share * count - 1e-9));
    }

    /** Linear between neighbours, as numpy's percentile. */
    private static double interpolated(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
