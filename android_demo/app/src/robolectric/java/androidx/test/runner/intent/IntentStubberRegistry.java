package androidx.test.runner.intent;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class IntentStubberRegistry {
    private IntentStubberRegistry() { }

    public static boolean isLoaded() {
        return false;
    }

    public static IntentStubber getInstance() {
        throw new IllegalStateException("none is loaded");
    }
}
