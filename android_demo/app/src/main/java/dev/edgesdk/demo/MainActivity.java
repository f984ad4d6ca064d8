package dev.edgesdk.demo;

import android.app.Activity;
import android.os.Bundle;
import android.widget.TextView;

import org.tensorflow.lite.TensorFlowLite;

/** The app's one screen. */
public final class MainActivity extends Activity {
    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        TextView text = new TextView(this);
        text.setText(TensorFlowLite.runtimeVersion());
        setContentView(text);
    }
}
