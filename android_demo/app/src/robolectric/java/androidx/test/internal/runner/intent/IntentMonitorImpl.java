package androidx.test.internal.runner.intent;

import android.content.Intent;
import androidx.test.runner.intent.IntentMonitor;

/** Robolectric's calls need it; androidx.test itself is not on Maven Central. */
public final class IntentMonitorImpl implements IntentMonitor {
    public void signalIntent(Intent intent) { }
}
