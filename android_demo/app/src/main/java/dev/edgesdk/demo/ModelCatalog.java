package dev.edgesdk.demo;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import android.content.Context;
import android.database.Cursor;
import android.net.Uri;
import android.provider.OpenableColumns;
import dev.edgesdk.edge.EdgeException;

/** The models at hand: those that the app carries, and documents that were opened. */
final class ModelCatalog {
    private static final int MOST_KEPT = 8;

    private ModelCatalog() { }

    /** Names of those that the app carries. */
    static List<String> carried(Context context) {
        try {
            String[] names = context.getAssets().list(ModelChoice.FOLDER);
            return names == null ? new ArrayList<String>() : Arrays.asList(names);
        } catch (IOException unreadable) {
            return new ArrayList<>();
        }
    }

    /** All of them, those carried first. */
    static List<ModelChoice> all(Context context) {
        List<ModelChoice> made = new ArrayList<>();
        for (String name : carried(context)) {
            made.add(new ModelChoice(ModelChoice.CARRIED + name));
        }
        File[] opened = folder(context).listFiles();
        if (opened != null) {
            Arrays.sort(opened);
            for (File file : opened) {
                made.add(new ModelChoice(file.getPath()));
            }
        }
        return made;
    }

    /**
     * Copies a document to where nobody changes it while it is mapped.
     *
     * @throws EdgeException.Model it cannot be read, or there is no room
     */
    static ModelChoice open(Context context, Uri document) {
        String name = String.valueOf(document.getLastPathSegment());
        File folder = folder(context);
        File target;
        File temporary = new File(context.getCacheDir(), "opening");
        try (InputStream from = context.getContentResolver().openInputStream(document)) {
            if (from == null) {
                throw new IOException("its app gives nothing");
            }
            name = nameOf(context, document);
            target = new File(folder, name);
            copy(from, temporary);
            makeRoom(folder);
            if (!folder.isDirectory() && !folder.mkdirs() || !temporary.renameTo(target)) {
                throw new IOException("no room in " + folder);
            }
        } catch (IOException | SecurityException error) {
            throw new EdgeException.Model(name + ": cannot be read: " + error.getMessage(), null);
        }
        return new ModelChoice(target.getPath());
    }

    private static void copy(InputStream from, File target) throws IOException {
        try (OutputStream to = new FileOutputStream(target)) {
            byte[] block = new byte[1 << 16];
            for (int count = from.read(block); count >= 0; count = from.read(block)) {
                to.write(block, 0, count);
            }
        }
    }

    /** The oldest goes. An open session keeps its mapping. */
    private static void makeRoom(File folder) throws IOException {
        File[] held = folder.listFiles();
        if (held == null || held.length < MOST_KEPT) {
            return;
        }
        File oldest = held[0];
        for (File file : held) {
            oldest = file.lastModified() < oldest.lastModified() ? file : oldest;
        }
        if (!oldest.delete()) {
            throw new IOException(oldest + " cannot be deleted");
        }
    }

    private static String nameOf(Context context, Uri document) {
        String[] wanted = {OpenableColumns.DISPLAY_NAME};
        try (Cursor cursor = context.getContentResolver().query(document, wanted, null, null, null)) {
            if (cursor != null && cursor.moveToFirst() && !cursor.isNull(0)) {
                return cursor.getString(0).replaceAll("[^A-Za-z0-9._-]", "_");
            }
        }
        return "model";
    }

    private static File folder(Context context) {
        return new File(context.getFilesDir(), "opened");
    }
}
