package androidx.test.internal.runner.lifecycle;

import java.util.Map;
import java.util.WeakHashMap;
import android.app.Activity;
import androidx.test.runner.lifecycle.ActivityLifecycleMonitor;
import androidx.test.runner.lifecycle.Stage;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class ActivityLifecycleMonitorImpl implements ActivityLifecycleMonitor {
    private final Map<Activity, Stage> stages = new WeakHashMap<>();

    @Override
    public synchronized Stage getLifecycleStageOf(Activity activity) {
        return stages.get(activity);
    }

    public synchronized void signalLifecycleChange(Stage stage, Activity activity) {
        stages.put(activity, stage);
    }
}
