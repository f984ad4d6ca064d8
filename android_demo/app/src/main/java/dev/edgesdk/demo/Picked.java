package dev.edgesdk.demo;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

import android.content.ContentResolver;
import android.net.Uri;
import dev.edgesdk.bench.Npy;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Port;

/** A document that was picked for an input: a picture, or a file of values. */
final class Picked {
    private static final int MOST_BYTES = 64 << 20;

    private final Uri uri;
    private final boolean isPicture;

    Picked(Uri uri, boolean isPicture) {
        this.uri = uri;
        this.isPicture = isPicture;
    }

    /**
     * Reads it; not on the main thread, for it may come from far away.
     *
     * @throws EdgeException it cannot be read, is no picture, or holds values of another type or shape
     */
    Source read(ContentResolver resolver, Port port) {
        return isPicture ? Source.picture(Pictures.read(resolver, uri))
                : Source.values(Npy.read(bytes(resolver), port), "a file");
    }

    private byte[] bytes(ContentResolver resolver) {
        try (InputStream stream = resolver.openInputStream(uri)) {
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
}
