package dev.edgesdk.demo;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;

import android.app.Activity;
import android.content.ComponentCallbacks2;
import android.content.Context;
import android.content.res.Configuration;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import dev.edgesdk.edge.Cancellation;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.EdgeWorker;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.tflite.TfliteEngine;

/**
 * The one session of the app, and the work done with it: it belongs to the process, so that turning the device or going
 * to the background ends nothing. All methods are called on the main thread; work is done on the worker's.
 */
final class Workbench implements ComponentCallbacks2 {
    /** Something to do with an open model; on the worker's thread. */
    interface Work {
        /** What it brings. */
        Outcome with(EdgeSession session);
    }

    /** Something that opens models of its own; on the worker's thread. */
    interface Alone {
        /** What it brings; the engine is a new one. */
        Outcome with(Engine engine);
    }

    /** Something to read that needs no open model. */
    interface Reading {
        /**
         * On the worker's thread.
         *
         * @throws EdgeException it cannot be read
         */
        void read();

        /** On the main thread, after it was read. */
        void done();
    }

    /** Something that ends in words; on the worker's thread. */
    private interface Job {
        Outcome run();
    }

    /** Where engines come from; tests have their own. */
    interface Engines {
        /** A new one. */
        Engine make();
    }

    /** Who wants to know that something changed; on the main thread. */
    interface Listener {
        /** Look again. */
        void changed();
    }

    static Engines engines = new Engines() {
        @Override
        public Engine make() {
            return new TfliteEngine();
        }
    };

    private static Workbench only;

    private final Context context;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final EdgeWorker worker = new EdgeWorker();
    private final List<Listener> listeners = new ArrayList<>();
    private final Deque<Reading> waiting = new ArrayDeque<>();
    private Cancellation cancellation = new Cancellation();
    private boolean busy;
    private double progress;
    private Outcome outcome;
    private ModelChoice opened;
    private int started;
    private volatile boolean leftForeground;
    // Only on the worker's thread.
    private EdgeSession session;
    private Setup openFor;

    private Workbench(Context context) {
        this.context = context.getApplicationContext();
        this.context.registerComponentCallbacks(this);
    }

    /** The process's. */
    static Workbench of(Context context) {
        if (only == null) {
            only = new Workbench(context);
        }
        return only;
    }

    /** For tests: as after the process was killed. */
    static void forget() {
        if (only != null) {
            only.context.unregisterComponentCallbacks(only);
            only.worker.close();
            only = null;
        }
    }

    void listen(Listener listener) {
        listeners.add(listener);
    }

    void unlisten(Listener listener) {
        listeners.remove(listener);
    }

    boolean isBusy() {
        return busy;
    }

    /** 0 to 1; negative where nobody knows. */
    double progress() {
        return progress;
    }

    /** Of the latest work; null before there was any. */
    Outcome outcome() {
        return outcome;
    }

    /** What was said is of no interest any more. */
    void dismiss() {
        outcome = null;
    }

    /** From the worker's thread: how far it is. */
    void report(final double share) {
        main.post(new Runnable() {
            @Override
            public void run() {
                progress = share;
                tell();
            }
        });
    }

    /** Whether the app was out of sight since the work began. */
    boolean leftForeground() {
        return leftForeground;
    }

    /** Whether the user wants the work to end. */
    boolean isStopped() {
        return cancellation.isCancelled();
    }

    void entered() {
        started++;
    }

    void left(Activity activity) {
        started--;
        if (started == 0 && !activity.isChangingConfigurations()) {
            leftForeground = true;
        }
    }

    /** Ends the work under way. */
    void stop() {
        cancellation.cancel();
    }

    /** Opens what the setup says, unless it is open, and does the work; false while other work is under way. */
    boolean start(final Setup setup, final Work work) {
        final Cancellation token = cancellation;
        return start(new Job() {
            @Override
            public Outcome run() {
                return attempt(setup, token, work);
            }
        });
    }

    /** Closes what is open, and does the work; false while other work is under way. */
    boolean start(final Alone work) {
        return start(new Job() {
            @Override
            public Outcome run() {
                close();
                return work.with(engines.make());
            }
        });
    }

    private boolean start(Job job) {
        if (busy) {
            return false;
        }
        leftForeground = started == 0;
        cancellation.clear();
        submit(job, null);
        return true;
    }

    /** Reads something; after the work that is under way. */
    void read(final Reading reading) {
        if (busy) {
            waiting.add(reading);
            return;
        }
        submit(new Job() {
            @Override
            public Outcome run() {
                reading.read();
                return null;
            }
        }, reading);
    }

    /** Copies a document to where it can be mapped; {@link #takeOpened} gives it when that is done. */
    void open(final Uri document) {
        read(new Reading() {
            private ModelChoice made;

            @Override
            public void read() {
                made = ModelCatalog.open(context, document);
            }

            @Override
            public void done() {
                opened = made;
            }
        });
    }

    /** What was opened since it was last asked; else null. */
    ModelChoice takeOpened() {
        ModelChoice made = opened;
        opened = null;
        return made;
    }

    private void submit(final Job job, final Reading reading) {
        busy = true;
        progress = -1;
        outcome = null;
        worker.submit(new Callable<Void>() {
            @Override
            public Void call() {
                final Outcome made = guarded(job);
                main.post(new Runnable() {
                    @Override
                    public void run() {
                        end(made, reading);
                    }
                });
                return null;
            }
        });
        tell();
    }

    private void end(Outcome made, Reading reading) {
        busy = false;
        outcome = made;
        if (reading != null && made == null) {
            reading.done();
        }
        tell();
        Reading next = waiting.poll();
        if (next != null) {
            read(next);
        }
    }

    /** On the worker's thread. What nobody expected ends the app, loudly, rather than the work in silence. */
    private Outcome guarded(Job job) {
        try {
            return job.run();
        } catch (EdgeException error) {
            if (error instanceof EdgeException.Cancelled) {
                close();
            }
            return Outcome.error(error);
        } catch (OutOfMemoryError error) {
            close();
            return Outcome.error(new EdgeException.Target("Android gave no more memory: " + error.getMessage(),
                    "the model was closed; take a smaller one, or close other apps"));
        } catch (final RuntimeException error) {
            main.post(new Runnable() {
                @Override
                public void run() {
                    throw error;
                }
            });
            throw error;
        }
    }

    private Outcome attempt(Setup setup, Cancellation token, Work work) {
        open(setup, token);
        return work.with(session);
    }

    private void open(Setup setup, Cancellation token) {
        if (session != null && setup.equals(openFor)) {
            return;
        }
        close();
        session = EdgeSession.open(setup.model.source(context), engines.make(), setup.options(context, token));
        openFor = setup;
    }

    private void close() {
        if (session != null) {
            session.close();
            session = null;
            openFor = null;
        }
    }

    /** Gives memory back; a session that works is left alone. */
    private void release() {
        if (busy) {
            return;
        }
        worker.submit(new Callable<Void>() {
            @Override
            public Void call() {
                final boolean wasOpen = session != null;
                close();
                main.post(new Runnable() {
                    @Override
                    public void run() {
                        if (wasOpen && !busy) {
                            outcome = Outcome.of(context.getString(R.string.closed_for_memory));
                            tell();
                        }
                    }
                });
                return null;
            }
        });
    }

    private void tell() {
        for (Listener listener : new ArrayList<>(listeners)) {
            listener.changed();
        }
    }

    @Override
    public void onTrimMemory(int level) {
        if (level >= TRIM_MEMORY_BACKGROUND) {
            release();
        }
    }

    @Override
    public void onConfigurationChanged(Configuration changed) { }

    @Override
    @SuppressWarnings("deprecation")
    public void onLowMemory() {
        release();
    }
}
