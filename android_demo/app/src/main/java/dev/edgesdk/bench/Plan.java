package dev.edgesdk.bench;

/** How long to measure: at least so many runs, and at least so many seconds. */
public final class Plan {
    /** As the number of warm-up runs: until latency has settled. */
    public static final int UNTIL_STEADY = -1;

    /** {@code quotable}, {@code quick} or {@code custom}, as the result's {@code run_mode} has it. */
    public final String mode;
    /** At least so many. */
    public final int runs;
    /** At least so long. */
    public final double seconds;
    /** Runs before, or {@link #UNTIL_STEADY}. */
    public final int warmUp;

    /** All of it. */
    public Plan(String mode, int runs, double seconds, int warmUp) {
        this.mode = mode;
        this.runs = runs;
        this.seconds = seconds;
        this.warmUp = warmUp;
    }

    /** What MLPerf asks of a single stream: 1,024 queries and 60 s. */
    public static Plan quotable(int warmUp) {
        return new Plan("quotable", 1024, 60, warmUp);
    }

    /** For a look; its numbers are not to be quoted. */
    public static Plan quick(int warmUp) {
        return new Plan("quick", 100, 3, warmUp);
    }
}
