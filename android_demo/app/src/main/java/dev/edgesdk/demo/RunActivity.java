package dev.edgesdk.demo;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.Context;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.provider.MediaStore;
import android.view.View;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.Spinner;
import android.widget.TextView;
import dev.edgesdk.bench.Npy;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.Port;

/**
 * One run on an input of the user's: a picture where the bundle says how one becomes an input, a drawn digit where the
 * input has the shape of one, else values out of a file; the bundle's golden input always.
 */
public final class RunActivity extends Activity implements Workbench.Listener {
    private static final int CAMERA = 1, PICTURE = 2, FILE = 3;
    private static final int MOST_BYTES = 64 << 20;
    private static final String PLACE = "place";

    /** What an input is made from; kept for as long as the activity, turns of the device included. */
    private static final class Held {
        final Map<String, Source> sources = new LinkedHashMap<>();
        ModelFacts facts;
    }

    private Workbench workbench;
    private Setup setup;
    private Held held;
    private String trouble;

    static Intent intent(Context context, Setup setup) {
        Intent made = new Intent(context, RunActivity.class).putExtra("model", setup.model.id)
                .putExtra("delegate", setup.delegate).putExtra("threads", setup.threads);
        for (Map.Entry<String, String> option : setup.delegateOptions.entrySet()) {
            made.putExtra("key", option.getKey()).putExtra("value", option.getValue());
        }
        return made;
    }

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.run);
        workbench = Workbench.of(this);
        setup = setup(getIntent());
        Object kept = getLastNonConfigurationInstance();
        held = kept instanceof Held ? (Held) kept : new Held();
        onClick(R.id.clear, new Runnable() {
            @Override
            public void run() {
                draw().clear();
            }
        });
        onClick(R.id.golden, new Runnable() {
            @Override
            public void run() {
                hold(Source.golden());
            }
        });
        onClick(R.id.camera, new Runnable() {
            @Override
            public void run() {
                camera();
            }
        });
        onClick(R.id.picture, new Runnable() {
            @Override
            public void run() {
                pick("image/*", PICTURE);
            }
        });
        onClick(R.id.file, new Runnable() {
            @Override
            public void run() {
                pick("*/*", FILE);
            }
        });
        onClick(R.id.run, new Runnable() {
            @Override
            public void run() {
                start();
            }
        });
        if (held.facts == null) {
            learn();
        } else {
            describe(state == null ? 0 : state.getInt(PLACE));
        }
    }

    @Override
    protected void onStart() {
        super.onStart();
        workbench.entered();
        workbench.listen(this);
        changed();
    }

    @Override
    protected void onStop() {
        workbench.unlisten(this);
        workbench.left(this);
        super.onStop();
    }

    @Override
    public Object onRetainNonConfigurationInstance() {
        return held;
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putInt(PLACE, inputs().getSelectedItemPosition());
    }

    @Override
    public void changed() {
        boolean busy = workbench.isBusy();
        findViewById(R.id.run).setEnabled(!busy && held.facts != null);
        Outcome outcome = workbench.outcome();
        ((TextView) findViewById(R.id.outcome)).setText(trouble != null ? trouble
                : busy ? getString(R.string.working) : outcome == null ? "" : outcome.text);
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        if (result != RESULT_OK) {
            return;
        }
        Uri uri = request == CAMERA ? ResultProvider.picture(this) : data == null ? null : data.getData();
        if (uri == null) {
            return;
        }
        try {
            hold(request == FILE ? Source.values(Npy.read(bytes(uri), port()), "a file")
                    : Source.picture(Pictures.read(getContentResolver(), uri)));
        } catch (EdgeException error) {
            trouble = Outcome.error(error).text;
            changed();
        }
    }

    /** Opens the model to learn what it takes. */
    private void learn() {
        workbench.start(setup, new Workbench.Work() {
            @Override
            public Outcome with(EdgeSession session) {
                final ModelFacts facts = new ModelFacts(session);
                runOnUiThread(new Runnable() {
                    @Override
                    public void run() {
                        held.facts = facts;
                        describe(0);
                        changed();
                    }
                });
                return Outcome.of(session.receipt().line());
            }
        });
    }

    private void describe(int picked) {
        List<String> labels = new ArrayList<>();
        for (Port port : held.facts.inputs) {
            labels.add(port.toString());
        }
        ArrayAdapter<String> adapter = new ArrayAdapter<>(this, android.R.layout.simple_spinner_item, labels);
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        inputs().setAdapter(adapter);
        inputs().setSelection(Math.min(picked, labels.size() - 1));
        show(R.id.golden, held.facts.hasGolden);
        show(R.id.camera, held.facts.takesPicture);
        show(R.id.picture, held.facts.takesPicture);
        show(R.id.draw, held.facts.takesDrawing);
        show(R.id.clear, held.facts.takesDrawing);
        tellHeld();
    }

    private void hold(Source source) {
        trouble = null;
        held.sources.put(port().name, source);
        tellHeld();
        changed();
    }

    private void tellHeld() {
        StringBuilder made = new StringBuilder();
        for (Port port : held.facts.inputs) {
            Source source = held.sources.get(port.name);
            made.append(port.name).append(": ").append(source == null ? held.facts.takesDrawing ? "what is drawn"
                    : "nothing yet" : source.words).append('\n');
        }
        ((TextView) findViewById(R.id.held)).setText(made.toString().trim());
    }

    private void start() {
        trouble = null;
        Map<String, Source> sources = new LinkedHashMap<>(held.sources);
        for (Port port : held.facts.inputs) {
            if (!sources.containsKey(port.name) && held.facts.takesDrawing) {
                sources.put(port.name, Source.values(EdgeArray.of(draw().values(), port.shape()), "a drawing"));
            }
        }
        workbench.start(setup, new RunWork(sources));
    }

    private void camera() {
        Uri uri = ResultProvider.picture(this);
        Intent intent = new Intent(MediaStore.ACTION_IMAGE_CAPTURE).putExtra(MediaStore.EXTRA_OUTPUT, uri)
                .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION | Intent.FLAG_GRANT_READ_URI_PERMISSION);
        intent.setClipData(ClipData.newRawUri("", uri));
        launch(intent, CAMERA, R.string.no_camera);
    }

    private void pick(String type, int request) {
        launch(new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(type), request,
                R.string.no_picker);
    }

    private void launch(Intent intent, int request, int none) {
        try {
            startActivityForResult(intent, request);
        } catch (ActivityNotFoundException absent) {
            trouble = getString(none);
            changed();
        }
    }

    private byte[] bytes(Uri uri) {
        try (InputStream stream = getContentResolver().openInputStream(uri)) {
            if (stream == null) {
                throw new IOException("its app gives nothing");
            }
            ByteArrayOutputStream made = new ByteArrayOutputStream();
            byte[] block = new byte[1 << 16];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                made.write(block, 0, count);
                if (made.size() > MOST_BYTES) {
                    throw new IOException("it has more than " + (MOST_BYTES >> 20) + " MiB");
                }
            }
            return made.toByteArray();
        } catch (IOException | SecurityException error) {
            throw new EdgeException("the file cannot be read: " + error.getMessage(), null);
        }
    }

    private static Setup setup(Intent intent) {
        Map<String, String> options = new LinkedHashMap<>();
        if (intent.hasExtra("key")) {
            options.put(intent.getStringExtra("key"), intent.getStringExtra("value"));
        }
        return new Setup(new ModelChoice(intent.getStringExtra("model")), intent.getStringExtra("delegate"), options,
                intent.getIntExtra("threads", 1), "", null);
    }

    private Port port() {
        return held.facts.inputs.get(Math.max(0, inputs().getSelectedItemPosition()));
    }

    private Spinner inputs() {
        return findViewById(R.id.inputs);
    }

    private DrawView draw() {
        return findViewById(R.id.draw);
    }

    private void show(int id, boolean shown) {
        findViewById(id).setVisibility(shown ? View.VISIBLE : View.GONE);
    }

    private void onClick(int id, final Runnable action) {
        ((Button) findViewById(id)).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (held.facts != null || view.getId() == R.id.clear) {
                    action.run();
                }
            }
        });
    }
}
