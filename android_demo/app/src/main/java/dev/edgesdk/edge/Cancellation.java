package dev.edgesdk.edge;

/** Ends what a session does, from any thread: a run under way, or the opening of a model. */
public final class Cancellation {
    private boolean cancelled;
    private Executor running;

    /** Ends it: the session throws {@link EdgeException.Cancelled}, now and in every later run until {@link #clear}. */
    public synchronized void cancel() {
        cancelled = true;
        if (running != null) {
            running.cancel(true);
        }
    }

    /** Lets the session run again. */
    public synchronized void clear() {
        cancelled = false;
        if (running != null) {
            running.cancel(false);
        }
    }

    /** Whether it was cancelled and not cleared. */
    public synchronized boolean isCancelled() {
        return cancelled;
    }

    /** Throws if it was cancelled. */
    void check() {
        if (isCancelled()) {
            throw new EdgeException.Cancelled();
        }
    }

    /** What {@link #cancel} reaches from now on; null for nothing. */
    synchronized void watch(Executor executor) {
        running = executor;
        if (executor != null && cancelled) {
            executor.cancel(true);
        }
    }
}
