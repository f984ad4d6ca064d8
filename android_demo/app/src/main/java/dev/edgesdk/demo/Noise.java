package dev.edgesdk.demo;

import java.nio.ByteBuffer;
import java.util.Random;

import dev.edgesdk.edge.DType;
import dev.edgesdk.edge.Port;

/** What a model is timed on where nobody says. */
final class Noise {
    private Noise() { }

    /** Floats in [0, 1), bytes of any value, and 0 in all else. */
    static void fill(ByteBuffer buffer, Port port, Random random) {
        buffer.clear();
        boolean bytes = port.isScaled() || port.type() == DType.INT8 || port.type() == DType.UINT8;
        if (bytes && buffer.remaining() == elements(port)) {
            byte[] drawn = new byte[buffer.remaining()];
            random.nextBytes(drawn);
            buffer.put(drawn);
        } else if (port.type() == DType.FLOAT32 && buffer.remaining() == 4 * elements(port)) {
            while (buffer.hasRemaining()) {
                buffer.putFloat(random.nextFloat());
            }
        } else {
            buffer.put(new byte[buffer.remaining()]);
        }
        buffer.rewind();
    }

    private static int elements(Port port) {
        int count = 1;
        for (int extent : port.shape()) {
            count *= extent;
        }
        return count;
    }
}
