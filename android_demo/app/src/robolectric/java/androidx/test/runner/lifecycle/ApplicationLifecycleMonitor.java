package androidx.test.runner.lifecycle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public interface ApplicationLifecycleMonitor {
}
