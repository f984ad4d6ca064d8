package dev.edgesdk.edge;

/** Which of several variants runs under load: falls to a faster one, returns when it can. A pure function of times. */
final class LoadState {
    private static final int LONGEST_WAIT = 32;

    /** Index of the variant that runs; 0 is the one that is wanted. */
    final int level;
    private final int missed;
    private final int calm;
    /** Runs since it returned to this level; -1 if it did not. */
    private final int since;
    private final int patience;

    LoadState() {
        this(0, 0, 0, -1, 1);
    }

    private LoadState(int level, int missed, int calm, int since, int patience) {
        this.level = level;
        this.missed = missed;
        this.calm = calm;
        this.since = since;
        this.patience = patience;
    }

    /** The state after one more run, that {@code tookMs} by the variant at {@link #level}. */
    LoadState after(double tookMs, Deadline deadline, double[] usualMs) {
        int runs = since < 0 ? since : since + 1;
        if (tookMs > deadline.ms) {
            return new LoadState(level, missed + 1, 0, runs, patience).missed(deadline, usualMs.length);
        }
        return new LoadState(level, 0, calm, runs, patience).kept(tookMs, deadline, usualMs);
    }

    private LoadState missed(Deadline deadline, int levels) {
        if (missed < deadline.misses || level + 1 >= levels) {
            return this;
        }
        boolean soon = since >= 0 && since <= deadline.calm * patience;
        return new LoadState(level + 1, 0, 0, -1, soon ? Math.min(2 * patience, LONGEST_WAIT) : 1);
    }

    private LoadState kept(double tookMs, Deadline deadline, double[] usualMs) {
        if (level == 0) {
            return this;
        }
        double slowerMs = tookMs * usualMs[level - 1] / usualMs[level];
        if (slowerMs > deadline.margin * deadline.ms) {
            return new LoadState(level, missed, 0, since, patience);
        }
        if (calm + 1 < deadline.calm * patience) {
            return new LoadState(level, missed, calm + 1, since, patience);
        }
        return new LoadState(level - 1, 0, 0, 0, patience);
    }
}
