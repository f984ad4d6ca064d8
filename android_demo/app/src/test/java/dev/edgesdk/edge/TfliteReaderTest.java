package dev.edgesdk.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** Bare files, whole and damaged: an error of ours, never a crash. */
public final class TfliteReaderTest {
    /** A flipped shape may ask for any memory: the guard must refuse it before a buffer is made. */
    private static final MemoryLimits SMALL = new MemoryLimits() {
        @Override
        public Limit tightest() {
            return new Limit("a test", 1 << 20);
        }
    };

    @Test
    public void whatItReads() throws Exception {
        Model model = read(Vectors.bytes("int8.tflite"));
        assertEquals("[image: int8[1, 8, 8, 3]]", model.inputs.toString());
        assertEquals("[scores: int8[1, 5]]", model.outputs.toString());
        assertEquals(Double.valueOf((float) 0.3), model.outputs.get(0).scale);
        assertEquals(2, model.ops);
        assertTrue(model.computesInIntegers);
        assertFalse(model.isStateful);
        assertEquals(5 * 192 + 5 * 4 + 2 * 4, model.weightsBytes);
        // The input, which is kept, the same in another shape, and the scores.
        assertEquals(192 + 192 + 5, model.liveBytes);
        assertFalse(read(Vectors.bytes("float.tflite")).computesInIntegers);
    }

    /** As much as is alive at the fullest step of Python's plan, but for what kernels want as scratch. */
    @Test
    public void bytesThatAreAlive() throws Exception {
        JSONArray cases = Vectors.list("memory.json");
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            Model model = read(Base64.getDecoder().decode(one.getString("model")));
            assertEquals(one.getBoolean("variables"), model.hasVariables);
            long live = model.liveBytes;
            long scratch = one.getLong("scratch"), peak = one.getLong("peak");
            assertTrue(one.toString(), live >= peak - scratch && live <= peak && live <= one.getLong("planned"));
        }
    }

    @Test
    public void everyTruncationAndManyFlips() throws Exception {
        byte[] whole = Vectors.bytes("float.tflite");
        for (int length = 0; length < whole.length; length += 7) {
            opened(Arrays.copyOf(whole, length));
        }
        Random random = new Random(0);
        int refused = 0;
        for (int round = 0; round < 3000; round++) {
            byte[] flipped = whole.clone();
            for (int flip = 0; flip <= round % 4; flip++) {
                flipped[random.nextInt(flipped.length)] ^= 1 << random.nextInt(8);
            }
            refused += opened(flipped) ? 0 : 1;
        }
        assertTrue(refused + " of 3000 flips were noticed", refused > 100);
    }

    /** False for an error of ours; any other ends the test. */
    private static boolean opened(byte[] data) {
        try {
            EdgeSession.open(Vectors.source(data.length == 0 ? new byte[1] : data), new ReplayEngine(null),
                    SessionOptions.defaults().delegates("xnnpack").limits(SMALL)).close();
            return true;
        } catch (EdgeException error) {
            assertFalse(error.getMessage(), error.getMessage().contains("\n"));
            return false;
        }
    }

    private static Model read(byte[] data) {
        ByteBuffer direct = ByteBuffer.allocateDirect(data.length);
        direct.put(data).flip();
        return TfliteReader.read("m", "", direct);
    }
}
