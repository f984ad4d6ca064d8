package dev.edgesdk.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

import org.json.JSONObject;

/** Times a query again and again; warm-up first, as in {@code edge_sdk/measure/steady.py}. Not the machine's state. */
public final class Timing {
    /** What is timed. */
    public interface Query {
        /** Returns when the results can be read. */
        void run();
    }

    /** Nanoseconds that only grow. */
    public interface Clock {
        /** The system's. */
        Clock SYSTEM = new Clock() {
            @Override
            public long nanos() {
                return System.nanoTime();
            }
        };

        /** Now. */
        long nanos();
    }

    /** What the machine tells of itself, and who is told how far it is. Called between queries, never within. */
    public interface Observer {
        /** The machine now; {@code atSeconds} counts from the start of the timed queries, negative before. */
        JSONObject look(double atSeconds);

        /** About ten times a second. */
        void progress(int runs, double seconds);

        /** Whether to stop here; what was timed so far is kept. */
        boolean stops();
    }

    private static final int WINDOWS = 3, WINDOW_RUNS = 10, MOST_RUNS = 100_000, PATIENCE_WINDOWS = 6;
    private static final long WINDOW_NANOS = 50_000_000L, LONGEST_WINDOW_NANOS = 1_000_000_000L;
    private static final long PATIENCE_NANOS = 30_000_000_000L;
    private static final long LOOK_NANOS = 1_000_000_000L, PROGRESS_NANOS = 100_000_000L;
    private static final double TOLERANCE = 0.02, ALONE = 0.05, SIGMAS = 3;
    // The standard error of a median is 1.2533 sigma / sqrt(n), and sigma 1.4826 times the median deviation, if normal.
    private static final double ERROR = 1.2533 * 1.4826;

    private final Query query;
    private final Clock clock;
    private final Observer observer;
    private final long patienceNanos;

    /** What is timed, by which clock, before whose eyes. */
    public Timing(Query query, Clock clock, Observer observer) {
        this(query, clock, observer, PATIENCE_NANOS);
    }

    /** Likewise; after so many nanoseconds latency counts as not settled. */
    public Timing(Query query, Clock clock, Observer observer, long patienceNanos) {
        this.patienceNanos = patienceNanos;
        this.query = query;
        this.clock = clock;
        this.observer = observer;
    }

    /** What came of it. */
    public static final class Taken {
        /** Whether latency had settled when warm-up ended. */
        public final WarmUp warmUp;
        /** Milliseconds of each query, in order. */
        public final double[] ms;
        /** When each began, in seconds from the start. */
        public final double[] atSeconds;
        /** The machine before, during and after. */
        public final List<JSONObject> looks;
        /** What timing adds to one query, in microseconds. */
        public final double overheadUs;
        /** Whether the observer stopped it. */
        public final boolean stopped;

        Taken(WarmUp warmUp, double[] ms, double[] atSeconds, List<JSONObject> looks, double overheadUs, boolean stopped) {
            this.warmUp = warmUp;
            this.ms = ms;
            this.atSeconds = atSeconds;
            this.looks = looks;
            this.overheadUs = overheadUs;
            this.stopped = stopped;
        }
    }

    /** What went before the timed queries. */
    public static final class WarmUp {
        /** Whether latency had settled. */
        public final boolean detected;
        /** How many. */
        public final int queries;
        /** How long. */
        public final double durationMs;
        /** Why it ended. */
        public final String why;

        WarmUp(boolean detected, int queries, double durationMs, String why) {
            this.detected = detected;
            this.queries = queries;
            this.durationMs = durationMs;
            this.why = why;
        }
    }

    /** Warms up, then times by the plan. */
    public Taken take(Plan plan) {
        double overheadUs = overheadUs();
        List<JSONObject> looks = new ArrayList<>();
        looks.add(observer.look(-1));
        WarmUp warmUp = plan.warmUp == Plan.UNTIL_STEADY ? settle() : warmUp(plan.warmUp);
        long[] began = new long[1024];
        long[] took = new long[1024];
        int count = 0;
        long start = clock.nanos();
        long looked = start;
        long told = start;
        long now = start;
        boolean stopped = false;
        while (!stopped && (count < plan.runs || now - start < plan.seconds * 1e9)) {
            if (count == took.length) {
                began = Arrays.copyOf(began, 2 * count);
                took = Arrays.copyOf(took, 2 * count);
            }
            long before = clock.nanos();
            query.run();
            now = clock.nanos();
            began[count] = before - start;
            took[count] = Math.max(1, now - before);
            count++;
            if (now - told > PROGRESS_NANOS) {
                observer.progress(count, (now - start) / 1e9);
                stopped = observer.stops();
                told = now;
            }
            if (now - looked > LOOK_NANOS) {
                looks.add(observer.look((now - start) / 1e9));
                looked = now;
            }
        }
        looks.add(observer.look((clock.nanos() - start) / 1e9));
        return new Taken(warmUp, scaled(took, count, 1e6), scaled(began, count, 1e9), looks, overheadUs, stopped);
    }

    private WarmUp warmUp(int runs) {
        long start = clock.nanos();
        for (int run = 0; run < runs; run++) {
            query.run();
        }
        return new WarmUp(false, runs, (clock.nanos() - start) / 1e6, "as many runs as were asked for");
    }

    /** Until the medians of three windows in a row agree within 2 %, or within their own noise where that is more. */
    private WarmUp settle() {
        List<Double> medians = new ArrayList<>();
        List<Double> errors = new ArrayList<>();
        int count = 0;
        long start = clock.nanos();
        while (true) {
            double[] window = window();
            count += window.length;
            double middle = median(window);
            medians.add(middle);
            errors.add(error(window, middle));
            long spent = clock.nanos() - start;
            double allowed = TOLERANCE;
            for (double one : last(errors)) {
                allowed = Math.max(allowed, SIGMAS * one);
            }
            if (medians.size() >= WINDOWS && spread(last(medians)) <= allowed) {
                String why = String.format(Locale.ROOT, "the medians of %d windows agree within %.1f%%", WINDOWS,
                        100 * allowed);
                return new WarmUp(true, count, spent / 1e6, why);
            }
            boolean impatient = spent > patienceNanos && medians.size() >= PATIENCE_WINDOWS;
            if (impatient || observer.stops()) {
                String why = String.format(Locale.ROOT, "after %.0f s the medians of the last windows still differed",
                        spent / 1e9);
                return new WarmUp(false, count, spent / 1e6, why);
            }
            observer.progress(0, 0);
        }
    }

    /** Milliseconds of 10 queries and 50 ms at least; no longer than 1 s unless one query is. */
    private double[] window() {
        long[] took = new long[64];
        int count = 0;
        long start = clock.nanos();
        long spent = 0;
        while (count < MOST_RUNS && spent <= LONGEST_WINDOW_NANOS && (spent < WINDOW_NANOS || count < WINDOW_RUNS)) {
            if (count == took.length) {
                took = Arrays.copyOf(took, 2 * count);
            }
            long before = clock.nanos();
            query.run();
            long after = clock.nanos();
            took[count] = Math.max(1, after - before);
            count++;
            spent = after - start;
        }
        return scaled(took, count, 1e6);
    }

    /** Of the same loop round nothing: the median of many. */
    private double overheadUs() {
        double[] took = new double[1001];
        for (int index = 0; index < took.length; index++) {
            long before = clock.nanos();
            took[index] = (clock.nanos() - before) / 1e3;
        }
        return median(took);
    }

    private static double error(double[] window, double middle) {
        if (window.length < 2) {
            return ALONE / SIGMAS;
        }
        double[] deviations = new double[window.length];
        for (int index = 0; index < window.length; index++) {
            deviations[index] = Math.abs(window[index] - middle);
        }
        return ERROR * median(deviations) / middle / Math.sqrt(window.length);
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static List<Double> last(List<Double> values) {
        return values.subList(Math.max(0, values.size() - WINDOWS), values.size());
    }

    private static double spread(List<Double> values) {
        return java.util.Collections.max(values) / java.util.Collections.min(values) - 1;
    }

    private static double[] scaled(long[] values, int count, double by) {
        double[] made = new double[count];
        for (int index = 0; index < count; index++) {
            made[index] = values[index] / by;
        }
        return made;
    }
}
