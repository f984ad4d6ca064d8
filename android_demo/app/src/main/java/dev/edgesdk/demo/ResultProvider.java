package dev.edgesdk.demo;

import java.io.File;
import java.io.FileNotFoundException;

import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;

/** Hands out one result, or takes one picture from the camera app, to whom the user gave a grant. */
public final class ResultProvider extends ContentProvider {
    private static final String PICTURE = "picture.jpg";

    /** Of a result in the history. */
    static Uri of(Context context, String name) {
        return Uri.parse("content://" + context.getPackageName() + ".results/" + name);
    }

    /** Where the camera app writes. */
    static Uri picture(Context context) {
        return of(context, PICTURE);
    }

    @Override
    public boolean onCreate() {
        return true;
    }

    @Override
    public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        boolean writes = !mode.equals("r");
        File file = file(uri);
        if (writes && !file.getName().equals(PICTURE)) {
            throw new FileNotFoundException("results are for reading");
        }
        return ParcelFileDescriptor.open(file, ParcelFileDescriptor.parseMode(mode));
    }

    @Override
    public Cursor query(Uri uri, String[] wanted, String where, String[] values, String order) {
        MatrixCursor made = new MatrixCursor(new String[] {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE});
        try {
            File file = file(uri);
            made.addRow(new Object[] {file.getName(), file.length()});
        } catch (FileNotFoundException unknown) {
            return made;
        }
        return made;
    }

    @Override
    public String getType(Uri uri) {
        return PICTURE.equals(uri.getLastPathSegment()) ? "image/jpeg" : "application/json";
    }

    /** A name without a folder: nothing else can be reached. */
    private File file(Uri uri) throws FileNotFoundException {
        String name = uri.getLastPathSegment();
        Context context = getContext();
        if (context == null || uri.getPathSegments().size() != 1 || name == null || !name.matches("[\\w-]+\\.\\w+")) {
            throw new FileNotFoundException(String.valueOf(uri));
        }
        return new File(name.equals(PICTURE) ? context.getCacheDir() : History.folder(context), name);
    }

    @Override
    public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException("read-only");
    }

    @Override
    public int delete(Uri uri, String where, String[] values) {
        throw new UnsupportedOperationException("read-only");
    }

    @Override
    public int update(Uri uri, ContentValues values, String where, String[] arguments) {
        throw new UnsupportedOperationException("read-only");
    }
}
