package androidx.test.runner.intent;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public interface IntentMonitor {
}
