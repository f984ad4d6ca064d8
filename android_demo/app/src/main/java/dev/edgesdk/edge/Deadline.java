package dev.edgesdk.edge;

/** When another variant takes over, as in {@code edge_sdk/runtime/load.py}. */
public final class Deadline {
    /** What one run may take in milliseconds, values checked and copied. */
    public final double ms;
    /** So many runs in a row beyond it, and the next faster variant takes over. */
    public final int misses;
    /** So many runs in a row in which the slower variant would have kept it, and that one returns. */
    public final int calm;
    /** Share of the deadline that the slower variant must be expected to keep. */
    public final double margin;

    /** With Python's defaults. */
    public Deadline(double ms) {
        this(ms, 3, 30, 0.8);
    }

    /**
     * All of it.
     *
     * @throws EdgeException.Policy a number makes no sense
     */
    public Deadline(double ms, int misses, int calm, double margin) {
        if (!(ms > 0) || misses < 1 || calm < 1 || !(margin > 0) || margin > 1) {
            throw new EdgeException.Policy("deadline: expected ms > 0, misses and calm >= 1, 0 < margin <= 1, got "
                    + ms + ", " + misses + ", " + calm + ", " + margin, null);
        }
        this.ms = ms;
        this.misses = misses;
        this.calm = calm;
        this.margin = margin;
    }
}
