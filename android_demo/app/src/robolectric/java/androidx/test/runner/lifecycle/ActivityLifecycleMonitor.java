package androidx.test.runner.lifecycle;

import android.app.Activity;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public interface ActivityLifecycleMonitor {
    Stage getLifecycleStageOf(Activity activity);
}
