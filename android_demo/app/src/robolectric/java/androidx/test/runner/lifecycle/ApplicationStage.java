package androidx.test.runner.lifecycle;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public enum ApplicationStage {
    PRE_ON_CREATE, CREATED
}
