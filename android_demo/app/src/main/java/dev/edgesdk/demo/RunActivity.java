package dev.edgesdk.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import android.content.ActivityNotFoundException;
import android.content.ClipData;
import android.content.ContentResolver;
import android.content.Context;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.provider.MediaStore;
import android.widget.TextView;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.Port;

/**
 * One run on an input of the user's: a picture where the bundle says how one becomes an input, a drawn digit where the
 * input has the shape of one, else values out of a file; the bundle's golden input always.
 */
public final class RunActivity extends Screen {
    private static final int CAMERA = 1, PICTURE = 2, FILE = 3;
    private static final String PLACE = "place";

    /** What an input is made from; kept for as long as the activity, turns of the device included. */
    private static final class Held {
        final Map<String, Source> sources = new LinkedHashMap<>();
        /** Whether the model was opened to learn what it takes. */
        boolean asked;
        /** Null until that is known. */
        volatile ModelFacts facts;
        /** Waits for the facts: Android may have ended the app behind the camera. */
        Picked picked;
    }

    private Setup setup;
    private Held held;
    /** The input that was chosen last time; -1 once the facts are on the screen. */
    private int place;

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
        setup = setup(getIntent());
        Object kept = getLastNonConfigurationInstance();
        held = kept instanceof Held ? (Held) kept : new Held();
        place = state == null ? 0 : state.getInt(PLACE);
        onClick(R.id.clear, new Runnable() {
            @Override
            public void run() {
                draw().clear();
            }
        });
        onceKnown(R.id.golden, new Runnable() {
            @Override
            public void run() {
                hold(Source.golden());
            }
        });
        onceKnown(R.id.camera, new Runnable() {
            @Override
            public void run() {
                camera();
            }
        });
        onceKnown(R.id.picture, new Runnable() {
            @Override
            public void run() {
                pick("image/*", PICTURE);
            }
        });
        onceKnown(R.id.file, new Runnable() {
            @Override
            public void run() {
                pick("*/*", FILE);
            }
        });
        onceKnown(R.id.run, new Runnable() {
            @Override
            public void run() {
                start();
            }
        });
    }

    @Override
    public Object onRetainNonConfigurationInstance() {
        return held;
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        state.putInt(PLACE, place >= 0 ? place : spinner(R.id.inputs).getSelectedItemPosition());
    }

    @Override
    public void changed() {
        if (!held.asked && !workbench.isBusy()) {
            learn();
        }
        if (held.facts != null && place >= 0) {
            describe();
        }
        if (held.facts != null && held.picked != null) {
            read();
        }
        boolean ready = held.facts != null && !workbench.isBusy();
        enable(ready, R.id.run, R.id.golden, R.id.camera, R.id.picture, R.id.file);
        tellHeld();
        ((TextView) findViewById(R.id.outcome)).setText(said());
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        Uri uri = result != RESULT_OK ? null : request == CAMERA ? ResultProvider.picture(this)
                : data == null ? null : data.getData();
        if (uri != null) {
            trouble = null;
            held.picked = new Picked(uri, request != FILE);
            changed();
        }
    }

    /** Opens the model to learn what it takes. */
    private void learn() {
        final Held asking = held;
        held.asked = workbench.start(setup, new Workbench.Work() {
            @Override
            public Outcome with(EdgeSession session) {
                asking.facts = new ModelFacts(session);
                return Outcome.of(session.receipt().line());
            }
        });
    }

    private void read() {
        final Held into = held;
        final Picked picked = held.picked;
        final Port port = port();
        final ContentResolver resolver = getApplicationContext().getContentResolver();
        held.picked = null;
        workbench.read(new Workbench.Reading() {
            private Source made;

            @Override
            public void read() {
                made = picked.read(resolver, port);
            }

            @Override
            public void done() {
                into.sources.put(port.name, made);
            }
        });
    }

    private void describe() {
        List<String> labels = new ArrayList<>();
        for (Port port : held.facts.inputs) {
            labels.add(port.toString());
        }
        fill(R.id.inputs, labels, Math.min(place, labels.size() - 1));
        place = -1;
        show(R.id.golden, held.facts.hasGolden);
        show(R.id.camera, held.facts.takesPicture);
        show(R.id.picture, held.facts.takesPicture);
        show(R.id.draw, held.facts.takesDrawing);
        show(R.id.clear, held.facts.takesDrawing);
    }

    private void onceKnown(int id, final Runnable action) {
        onClick(id, new Runnable() {
            @Override
            public void run() {
                if (held.facts != null) {
                    action.run();
                }
            }
        });
    }

    private void hold(Source source) {
        trouble = null;
        workbench.dismiss();
        held.sources.put(port().name, source);
        changed();
    }

    private void tellHeld() {
        StringBuilder made = new StringBuilder();
        for (Port port : held.facts == null ? Collections.<Port>emptyList() : held.facts.inputs) {
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

    private static Setup setup(Intent intent) {
        Map<String, String> options = new LinkedHashMap<>();
        if (intent.hasExtra("key")) {
            options.put(intent.getStringExtra("key"), intent.getStringExtra("value"));
        }
        return new Setup(new ModelChoice(intent.getStringExtra("model")), intent.getStringExtra("delegate"), options,
                intent.getIntExtra("threads", 1), "", null);
    }

    private Port port() {
        return held.facts.inputs.get(Math.max(0, spinner(R.id.inputs).getSelectedItemPosition()));
    }

    private DrawView draw() {
        return findViewById(R.id.draw);
    }
}
