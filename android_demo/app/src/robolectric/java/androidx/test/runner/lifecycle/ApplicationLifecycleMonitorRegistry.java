package androidx.test.runner.lifecycle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class ApplicationLifecycleMonitorRegistry {
    private static ApplicationLifecycleMonitor instance;

    private ApplicationLifecycleMonitorRegistry() { }

    public static ApplicationLifecycleMonitor getInstance() {
        return instance;
    }

    public static void registerInstance(ApplicationLifecycleMonitor made) {
        instance = made;
    }
}
