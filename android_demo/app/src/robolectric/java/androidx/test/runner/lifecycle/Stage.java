package androidx.test.runner.lifecycle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public enum Stage {
    PRE_ON_CREATE, CREATED, STARTED, RESUMED, PAUSED, STOPPED, RESTARTED, DESTROYED
}
