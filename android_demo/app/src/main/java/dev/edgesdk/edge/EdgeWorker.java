package dev.edgesdk.edge;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;

/** One thread for all of a session: it is opened, run and closed there, as GPU delegates want it. */
public final class EdgeWorker implements AutoCloseable {
    private final ExecutorService thread = Executors.newSingleThreadExecutor(new ThreadFactory() {
        @Override
        public Thread newThread(Runnable task) {
            return new Thread(task, "edge-sdk");
        }
    });

    /** Queues work; its result or exception comes through the future. */
    public <T> Future<T> submit(Callable<T> work) {
        return thread.submit(work);
    }

    /**
     * Does work there and waits for it; not for the main thread of an app.
     *
     * @throws EdgeException what the work threw
     */
    public <T> T call(Callable<T> work) throws InterruptedException {
        try {
            return submit(work).get();
        } catch (ExecutionException error) {
            if (error.getCause() instanceof RuntimeException) {
                throw (RuntimeException) error.getCause();
            }
            if (error.getCause() instanceof Error) {
                throw (Error) error.getCause();
            }
            throw new EdgeException("the work failed: " + error.getCause(), null);
        }
    }

    /** Takes no more work; what is queued is still done. Queue a session's {@code close} before. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
