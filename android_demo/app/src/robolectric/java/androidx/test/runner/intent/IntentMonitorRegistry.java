package androidx.test.runner.intent;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class IntentMonitorRegistry {
    private static IntentMonitor instance;

    private IntentMonitorRegistry() { }

    public static IntentMonitor getInstance() {
        return instance;
    }

    public static void registerInstance(IntentMonitor made) {
        instance = made;
    }
}
