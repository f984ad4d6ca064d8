package androidx.test.runner.intent;

import android.app.Instrumentation;
import android.content.Intent;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public interface IntentStubber {
    Instrumentation.ActivityResult getActivityResultForIntent(Intent intent);
}
