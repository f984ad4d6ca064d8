package dev.edgesdk.demo;

import java.io.File;
import java.util.UUID;

import android.app.Activity;
import android.content.Intent;
import android.os.Build;
import android.os.Bundle;
import android.util.Log;
import android.view.WindowManager;
import android.widget.TextView;
import dev.edgesdk.bench.Arguments;
import dev.edgesdk.bench.ResultJson;
import dev.edgesdk.edge.EdgeException;
import org.json.JSONObject;

/**
 * A benchmark without hands: {@code adb shell am start -W -S -n dev.edgesdk.demo/.HeadlessActivity --es args
 * '--model=app:digits.edge --delegate=gpu --runs=100 --out=r1.json'}. The result, or why there is none, lies in the
 * app's external files folder under the name of {@code --out} when logcat says {@code EDGE-SDK-END}. With
 * {@code --kernels=ARCHIVE} in the model's place all its files are timed, and each is told when it is done.
 */
public final class HeadlessActivity extends Activity implements Workbench.Listener {
    /** Of logcat. */
    static final String TAG = "edge-sdk";
    /** Ends a run: then run id, {@code ok} or {@code error}, and the file. */
    static final String END = "EDGE-SDK-END";
    private static final String BEGUN = "begun";

    private Workbench workbench;
    private Arguments asked;
    private String runId;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.headless);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        if (Build.VERSION.SDK_INT >= 27) {
            // A phone on a desk sleeps; behind its lock screen the app would be measured on slower cores.
            setShowWhenLocked(true);
            setTurnScreenOn(true);
        }
        workbench = Workbench.of(this);
        workbench.entered();
        workbench.listen(this);
        asked = Arguments.parse(getIntent().getStringExtra("args"));
        runId = idOf(asked);
        if (state != null) {
            end(new EdgeException("Android ended the app while it measured", "start it again"), null);
        } else if (!asked.faults.isEmpty()) {
            end(new EdgeException.Policy(join(asked.faults), "see android_demo/README.md"), null);
        } else if (workbench.isBusy()) {
            end(busy(), null);
        } else {
            begin();
        }
    }

    /** Started again while it measures: the first run goes on, the second is answered. */
    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        Arguments second = Arguments.parse(intent.getStringExtra("args"));
        write(second, idOf(second), busy(), null);
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putBoolean(BEGUN, true);
    }

    @Override
    protected void onStop() {
        workbench.left(this);
        super.onStop();
    }

    @Override
    protected void onRestart() {
        super.onRestart();
        workbench.entered();
    }

    @Override
    protected void onDestroy() {
        workbench.unlisten(this);
        super.onDestroy();
    }

    @Override
    public void changed() {
        if (workbench.isBusy()) {
            show(getString(R.string.working) + ": " + (asked.model == null ? asked.kernels : asked.model));
            return;
        }
        Outcome outcome = workbench.outcome();
        if (outcome != null && !isFinishing()) {
            end(outcome.error, outcome.result);
        }
    }

    private void begin() {
        if (asked.kernels != null) {
            workbench.start(new CalibrationWork(this, asked, runId, lines(asked)));
            return;
        }
        Setup setup = new Setup(new ModelChoice(asked.model), asked.delegate, asked.delegateOptions, asked.threads,
                asked.policy, asked.variant);
        workbench.start(setup, new BenchmarkWork(this, setup, asked.plan, runId));
    }

    private void end(EdgeException error, JSONObject result) {
        show(write(asked, runId, error, result));
        workbench.unlisten(this);
        finish();
    }

    /** Where adb's user can read it. */
    private File file(String name) {
        File folder = getExternalFilesDir(null);
        return new File(folder == null ? getFilesDir() : folder, name);
    }

    /** What is known while kernels are timed, beside the result that ends it. */
    private File lines(Arguments asked) {
        return file(asked.out + ".lines");
    }

    /** Writes the file, then the line that says so, which is returned. */
    private String write(Arguments asked, String runId, EdgeException error, JSONObject result) {
        File file = file(asked.out);
        String word = result == null ? "error" : "ok";
        try {
            History.write(file, result == null ? ResultJson.error(runId, error) : result);
        } catch (EdgeException unwritable) {
            Log.e(TAG, unwritable.line());
            word = "error";
        }
        if (result == null) {
            Log.e(TAG, error.line());
        }
        String line = END + " " + runId + " " + word + " " + file;
        Log.i(TAG, line);
        return line;
    }

    private static EdgeException busy() {
        return new EdgeException("the app is busy with other work", "am start -S ends it first");
    }

    private static String idOf(Arguments asked) {
        return asked.runId == null ? UUID.randomUUID().toString() : asked.runId;
    }

    private void show(String text) {
        ((TextView) findViewById(R.id.outcome)).setText(text);
    }

    private static String join(java.util.List<String> faults) {
        StringBuilder made = new StringBuilder();
        for (String fault : faults) {
            made.append(made.length() == 0 ? "" : "; ").append(fault);
        }
        return made.toString();
    }
}
