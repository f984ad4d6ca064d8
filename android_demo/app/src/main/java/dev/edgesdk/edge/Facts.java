package dev.edgesdk.edge;

/** What one attempt showed; see POLICY.md, "Facts". Null means that nobody knows. */
public final class Facts {
    /** Result of the self-test. */
    public enum SelfTest {
        PASSED, FAILED
    }

    /** Why it could not be opened; then nothing else counts. */
    public final String unavailable;
    /** Ops of the main subgraph. */
    public final int ops;
    /** How many of them the delegate took. */
    public final Integer delegated;
    /** Rows of ops that the delegate runs without handing back. */
    public final Integer partitions;
    /** Share of multiply-accumulates in delegated ops, 0 to 1. */
    public final Double macShare;
    /** Null where it was not made. */
    public final SelfTest selfTest;
    /** Median of the timed runs, in milliseconds. */
    public final Double runMs;

    private Facts(String unavailable, int ops, Placement placement, SelfTest selfTest, Double runMs) {
        this.unavailable = unavailable;
        this.ops = ops;
        this.delegated = placement.delegated;
        this.partitions = placement.partitions;
        this.macShare = placement.macShare;
        this.selfTest = selfTest;
        this.runMs = runMs;
    }

    /** Of a candidate that could not be opened, or could not run. */
    public static Facts unavailable(String why) {
        return new Facts(why, 0, Placement.UNKNOWN, null, null);
    }

    /** Of a candidate that ran. */
    public static Facts of(int ops, Placement placement, SelfTest selfTest, Double runMs) {
        return new Facts(null, ops, placement, selfTest, runMs);
    }

    /** Where the ops went, as far as anyone tells. */
    public static final class Placement {
        /** Nothing is known. */
        public static final Placement UNKNOWN = new Placement(null, null, null);

        final Integer delegated;
        final Integer partitions;
        final Double macShare;

        /** Null for what is not known. */
        public Placement(Integer delegated, Integer partitions, Double macShare) {
            this.delegated = delegated;
            this.partitions = partitions;
            this.macShare = macShare;
        }
    }
}
