package dev.edgesdk.demo;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

import android.content.Context;
import dev.edgesdk.edge.EdgeException;

/** Public keys that were built into the app: if there are any, one of them must have signed a bundle. */
final class TrustedKeys {
    private static final String FOLDER = "keys";

    private TrustedKeys() { }

    /**
     * In PEM form.
     *
     * @throws EdgeException.Bundle one cannot be read: no bundle is opened then
     */
    static byte[][] of(Context context) {
        try {
            String[] names = context.getAssets().list(FOLDER);
            byte[][] made = new byte[names == null ? 0 : names.length][];
            for (int index = 0; index < made.length; index++) {
                made[index] = read(context, FOLDER + "/" + names[index]);
            }
            return made;
        } catch (IOException error) {
            throw new EdgeException.Bundle("the app's own keys cannot be read: " + error.getMessage(),
                    "install the app again");
        }
    }

    private static byte[] read(Context context, String name) throws IOException {
        try (InputStream stream = context.getAssets().open(name)) {
            ByteArrayOutputStream made = new ByteArrayOutputStream();
            byte[] block = new byte[1024];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                made.write(block, 0, count);
            }
            return made.toByteArray();
        }
    }
}
