package dev.edgesdk.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.os.Bundle;
import android.widget.EditText;
import android.widget.ProgressBar;
import android.widget.TextView;
import dev.edgesdk.bench.Arguments;
import dev.edgesdk.bench.Plan;
import dev.edgesdk.edge.EdgeSession;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** Picks a model, a delegate and threads; checks outputs and measures. A path by intent: {@code --es model PATH}. */
public final class MainActivity extends Screen {
    /** Extra: the id of the model to pick. */
    static final String MODEL = "model";
    private static final String DELEGATE = "delegate", THREADS = "threads";
    private static final int OPEN = 1;
    private static final int[] THREAD_COUNTS = {1, 2, 4, 8};

    private final List<ModelChoice> models = new ArrayList<>();

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.main);
        fill(R.id.delegates, Delegates.LABELS, state == null ? 0 : state.getInt(DELEGATE));
        fill(R.id.threads, threads(), state == null ? 0 : state.getInt(THREADS));
        String given = getIntent().getStringExtra(MODEL);
        refreshModels(state == null ? given : state.getString(MODEL));
        onClick(R.id.open, new Runnable() {
            @Override
            public void run() {
                open();
            }
        });
        onClick(R.id.run, new Runnable() {
            @Override
            public void run() {
                startActivity(RunActivity.intent(MainActivity.this, setup()));
            }
        });
        onClick(R.id.check, new Runnable() {
            @Override
            public void run() {
                check();
            }
        });
        onClick(R.id.benchmark, new Runnable() {
            @Override
            public void run() {
                benchmark();
            }
        });
        onClick(R.id.history, new Runnable() {
            @Override
            public void run() {
                startActivity(new Intent(MainActivity.this, HistoryActivity.class));
            }
        });
        onClick(R.id.stop, new Runnable() {
            @Override
            public void run() {
                workbench.stop();
            }
        });
        onClick(R.id.share, new Runnable() {
            @Override
            public void run() {
                HistoryActivity.share(MainActivity.this, workbench.outcome().file);
            }
        });
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putInt(DELEGATE, spinner(R.id.delegates).getSelectedItemPosition());
        state.putInt(THREADS, spinner(R.id.threads).getSelectedItemPosition());
        if (!models.isEmpty()) {
            state.putString(MODEL, picked().id);
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (request != OPEN || result != RESULT_OK || data == null || data.getData() == null) {
            return;
        }
        trouble = null;
        workbench.open(data.getData());
    }

    @Override
    public void changed() {
        ModelChoice opened = workbench.takeOpened();
        if (opened != null) {
            refreshModels(opened.id);
        }
        boolean busy = workbench.isBusy();
        enable(!busy && !models.isEmpty(), R.id.run, R.id.check, R.id.benchmark);
        enable(!busy, R.id.open);
        show(R.id.busy, busy);
        show(R.id.stop, busy);
        ProgressBar bar = findViewById(R.id.busy);
        bar.setIndeterminate(workbench.progress() < 0);
        bar.setProgress((int) (1000 * Math.max(0, workbench.progress())));
        Outcome outcome = workbench.outcome();
        TextView text = findViewById(R.id.outcome);
        text.setText(said().isEmpty() && models.isEmpty() ? getString(R.string.no_models) : said());
        boolean measured = !busy && trouble == null && outcome != null && outcome.result != null;
        show(R.id.share, measured);
        show(R.id.chart, measured);
        if (measured) {
            draw(outcome.result);
        }
    }

    private void check() {
        trouble = null;
        workbench.start(setup(), new Workbench.Work() {
            @Override
            public Outcome with(EdgeSession session) {
                return Outcome.of("Outputs: " + session.selfTest() + "\n\n" + session.receipt().line());
            }
        });
    }

    private void benchmark() {
        Arguments asked = Arguments.parse("--model=app " + option(R.id.runs, "runs") + option(R.id.seconds, "seconds")
                + option(R.id.warm_up, "warm-up"));
        if (!asked.faults.isEmpty()) {
            trouble = asked.faults.get(0);
            changed();
            return;
        }
        trouble = null;
        Plan plan = asked.plan;
        Setup setup = setup();
        workbench.start(setup, new BenchmarkWork(this, setup, plan, null));
    }

    private String option(int id, String name) {
        String text = ((EditText) findViewById(id)).getText().toString().trim();
        return text.isEmpty() ? "" : "--" + name + "=" + text + " ";
    }

    private Setup setup() {
        int delegate = spinner(R.id.delegates).getSelectedItemPosition();
        Map<String, String> options = Delegates.options(delegate);
        int threads = Integer.parseInt((String) spinner(R.id.threads).getSelectedItem());
        return new Setup(picked(), Delegates.name(delegate), options, threads, "", null);
    }

    private ModelChoice picked() {
        return models.get(Math.max(0, spinner(R.id.models).getSelectedItemPosition()));
    }

    private void refreshModels(String wanted) {
        models.clear();
        models.addAll(ModelCatalog.all(this));
        ModelChoice choice = wanted == null ? null : new ModelChoice(wanted);
        if (choice != null && !models.contains(choice)) {
            models.add(choice);
        }
        List<String> labels = new ArrayList<>();
        for (ModelChoice model : models) {
            labels.add(model.label());
        }
        fill(R.id.models, labels, choice == null ? 0 : models.indexOf(choice));
    }

    private void open() {
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*");
        try {
            startActivityForResult(intent, OPEN);
        } catch (ActivityNotFoundException none) {
            trouble = getString(R.string.no_picker);
            changed();
        }
    }

    private void draw(JSONObject result) {
        try {
            JSONObject run = result.getJSONArray("results").getJSONObject(0).getJSONObject("performance_run");
            JSONArray trace = run.getJSONArray("trace_ms");
            double[] ms = new double[trace.length()];
            for (int index = 0; index < ms.length; index++) {
                ms[index] = trace.getDouble(index);
            }
            double median = run.getJSONObject("latency_ms").getJSONObject("p50").getDouble("value");
            ((RunsChart) findViewById(R.id.chart)).show(ms, median);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    private static List<String> threads() {
        List<String> made = new ArrayList<>();
        for (int count : THREAD_COUNTS) {
            if (count == 1 || count <= Runtime.getRuntime().availableProcessors()) {
                made.add(String.valueOf(count));
            }
        }
        return Collections.unmodifiableList(made);
    }
}
