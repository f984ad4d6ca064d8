package dev.edgesdk.demo;

import java.util.ArrayList;
import java.util.List;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ClipData;
import android.content.Context;
import android.content.DialogInterface;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.ListView;
import dev.edgesdk.bench.ResultText;
import dev.edgesdk.edge.EdgeException;

/** Results of benchmarks, the newest first: to read, share and delete. */
public final class HistoryActivity extends Activity {
    private History history;
    private List<String> names;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        setContentView(R.layout.history);
        history = new History(this);
        ((ListView) findViewById(R.id.results)).setOnItemClickListener(new AdapterView.OnItemClickListener() {
            @Override
            public void onItemClick(AdapterView<?> list, View row, int place, long id) {
                show(names.get(place));
            }
        });
        refresh();
    }

    /** Reads them off the main thread: a hundred files take a while. */
    private void refresh() {
        new Thread("edge-sdk history") {
            @Override
            public void run() {
                final List<String> found = history.names();
                final List<String> lines = new ArrayList<>();
                for (String name : found) {
                    lines.add(name.replace(".json", "") + "\n" + line(name));
                }
                runOnUiThread(new Runnable() {
                    @Override
                    public void run() {
                        list(found, lines);
                    }
                });
            }
        }.start();
    }

    private String line(String name) {
        try {
            return ResultText.line(history.read(name));
        } catch (EdgeException unreadable) {
            return unreadable.line();
        }
    }

    private void list(List<String> found, List<String> lines) {
        names = found;
        ListView list = findViewById(R.id.results);
        list.setAdapter(new ArrayAdapter<>(this, android.R.layout.simple_list_item_1, lines));
        findViewById(R.id.none).setVisibility(lines.isEmpty() ? View.VISIBLE : View.GONE);
    }

    private void show(final String name) {
        String text;
        try {
            text = ResultText.of(history.read(name));
        } catch (EdgeException unreadable) {
            text = unreadable.line();
        }
        new AlertDialog.Builder(this).setTitle(name).setMessage(text)
                .setPositiveButton(R.string.share, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface dialog, int which) {
                        share(HistoryActivity.this, name);
                    }
                }).setNegativeButton(R.string.delete, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface dialog, int which) {
                        history.delete(name);
                        refresh();
                    }
                }).setNeutralButton(R.string.close, null).show();
    }

    /** Lets the user pick the app that gets the file. */
    static void share(Context context, String name) {
        Uri uri = ResultProvider.of(context, name);
        Intent intent = new Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        intent.setClipData(ClipData.newRawUri(name, uri));
        context.startActivity(Intent.createChooser(intent, context.getString(R.string.share)));
    }
}
