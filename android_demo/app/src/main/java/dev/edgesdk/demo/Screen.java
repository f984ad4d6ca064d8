package dev.edgesdk.demo;

import java.util.List;

import android.app.Activity;
import android.os.Bundle;
import android.view.View;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.Spinner;

/** A screen that shows what the workbench does, for as long as it is seen. */
abstract class Screen extends Activity implements Workbench.Listener {
    /** The process's. */
    Workbench workbench;
    /** What went wrong here rather than at the workbench; null for nothing. */
    String trouble;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        workbench = Workbench.of(this);
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

    /** Trouble first, then work under way, then what came of the last. */
    final String said() {
        Outcome outcome = workbench.outcome();
        return trouble != null ? trouble
                : workbench.isBusy() ? getString(R.string.working) : outcome == null ? "" : outcome.text;
    }

    final Spinner spinner(int id) {
        return findViewById(id);
    }

    final void fill(int id, List<String> labels, int picked) {
        ArrayAdapter<String> adapter = new ArrayAdapter<>(this, android.R.layout.simple_spinner_item, labels);
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        spinner(id).setAdapter(adapter);
        spinner(id).setSelection(picked);
    }

    final void enable(boolean enabled, int... ids) {
        for (int id : ids) {
            findViewById(id).setEnabled(enabled);
        }
    }

    final void show(int id, boolean shown) {
        findViewById(id).setVisibility(shown ? View.VISIBLE : View.GONE);
    }

    final void onClick(int id, final Runnable action) {
        ((Button) findViewById(id)).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                action.run();
            }
        });
    }
}
