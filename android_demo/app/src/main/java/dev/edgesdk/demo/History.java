package dev.edgesdk.demo;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Locale;

import org.json.JSONException;
import org.json.JSONObject;

import android.content.Context;
import dev.edgesdk.edge.EdgeException;

/** Results, a file each, in the app's own folder; the newest {@value #MOST} are kept. */
final class History {
    private static final int MOST = 100;

    private final File folder;

    History(Context context) {
        folder = folder(context);
    }

    static File folder(Context context) {
        return new File(context.getFilesDir(), "history");
    }

    /** Returns the name of its file. */
    String add(JSONObject result) {
        String moment = new SimpleDateFormat("yyyyMMdd-HHmmss-SSS", Locale.ROOT).format(new Date());
        File file = new File(folder, moment + ".json");
        write(file, result);
        List<String> all = names();
        for (String name : all.subList(Math.min(MOST, all.size()), all.size())) {
            delete(name);
        }
        return file.getName();
    }

    /** The newest first. */
    List<String> names() {
        String[] found = folder.list();
        List<String> made = new ArrayList<>(found == null ? Collections.<String>emptyList() : Arrays.asList(found));
        Collections.sort(made, Collections.reverseOrder());
        return made;
    }

    /**
     * One of them.
     *
     * @throws EdgeException it cannot be read
     */
    JSONObject read(String name) {
        try (InputStream stream = new FileInputStream(new File(folder, name))) {
            ByteArrayOutputStream held = new ByteArrayOutputStream();
            byte[] block = new byte[1 << 14];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                held.write(block, 0, count);
            }
            return new JSONObject(new String(held.toByteArray(), StandardCharsets.UTF_8));
        } catch (IOException | JSONException error) {
            throw new EdgeException(name + ": cannot be read: " + error.getMessage(), "delete it");
        }
    }

    void delete(String name) {
        File file = new File(folder, name);
        if (!file.delete() && file.exists()) {
            throw new EdgeException(name + ": cannot be deleted", null);
        }
    }

    /**
     * Writes a file whole or not at all.
     *
     * @throws EdgeException there is no room
     */
    static void write(File file, JSONObject content) {
        File temporary = new File(file.getPath() + ".part");
        File folder = file.getParentFile();
        try {
            if (folder != null && !folder.isDirectory() && !folder.mkdirs()) {
                throw new IOException(folder + " cannot be made");
            }
            try (FileOutputStream stream = new FileOutputStream(temporary)) {
                stream.write(content.toString(2).getBytes(StandardCharsets.UTF_8));
                stream.getFD().sync();
            }
            if (!temporary.renameTo(file)) {
                throw new IOException("cannot be renamed");
            }
        } catch (IOException | JSONException error) {
            throw new EdgeException(file + ": cannot be written: " + error.getMessage(), "free some storage");
        }
    }
}
