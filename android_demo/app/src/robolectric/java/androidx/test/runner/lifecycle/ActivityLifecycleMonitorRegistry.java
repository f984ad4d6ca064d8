package androidx.test.runner.lifecycle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class ActivityLifecycleMonitorRegistry {
    private static ActivityLifecycleMonitor instance;

    private ActivityLifecycleMonitorRegistry() { }

    public static ActivityLifecycleMonitor getInstance() {
        return instance;
    }

    public static void registerInstance(ActivityLifecycleMonitor made) {
        instance = made;
    }
}
