package androidx.test.platform.app;

import android.app.Instrumentation;
import android.os.Bundle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class InstrumentationRegistry {
    private static Instrumentation instance;

    private InstrumentationRegistry() { }

    public static Instrumentation getInstrumentation() {
        if (instance == null) {
            throw new IllegalStateException("no instrumentation is registered");
        }
        return instance;
    }

    public static void registerInstance(Instrumentation made, Bundle arguments) {
        instance = made;
    }
}
