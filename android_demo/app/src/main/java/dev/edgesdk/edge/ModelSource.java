package dev.edgesdk.edge;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** What a session is pointed at: the bytes of a bundle or of a bare .tflite, mapped and not copied. */
public final class ModelSource {
    /** For messages and the receipt. */
    public final String name;
    final ByteBuffer content;

    private ModelSource(String name, ByteBuffer content) {
        this.name = name;
        this.content = content;
    }

    /**
     * Maps a file. Do not write into it while it is open; replace it by a rename.
     *
     * @throws EdgeException.Model it cannot be read, is empty, or has more than 2 GiB (the most that Java maps at once)
     */
    public static ModelSource file(File file) {
        try (RandomAccessFile opened = new RandomAccessFile(file, "r")) {
            long size = opened.length();
            if (size == 0 || size > Integer.MAX_VALUE) {
                throw new EdgeException.Model(file + ": cannot be mapped: it has " + size + " bytes, expected 1 to "
                        + Integer.MAX_VALUE, null);
            }
            return mapped(file.getPath(), opened.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, size));
        } catch (IOException error) {
            throw new EdgeException.Model(file + ": cannot be read: " + error.getMessage(), null);
        }
    }

    /** Bytes that are mapped already, such as an asset's, from the buffer's position to its limit. The buffer is direct. */
    public static ModelSource mapped(String name, ByteBuffer content) {
        if (!content.isDirect()) {
            throw new IllegalArgumentException("the engine needs a direct buffer");
        }
        return new ModelSource(name, content.slice());
    }
}
