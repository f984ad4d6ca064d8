package dev.edgesdk.edge;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** Bundles, right, damaged and hostile: the answer is Python's. */
public final class BundleTest {
    private static final List<byte[]> NO_KEYS = Collections.emptyList();

    @Test
    public void pythonsAnswers() throws Exception {
        JSONArray cases = Vectors.list("bundles.json");
        assertTrue("100 cases or more, not " + cases.length(), cases.length() >= 100);
        List<String> wrong = new ArrayList<>();
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            String expected = one.isNull("error") ? null : one.getString("error");
            String got = verify(Vectors.bytes("bundles/" + one.getString("file")), keys(one.getJSONArray("keys")));
            if (!(got == null ? "" : got).startsWith(expected == null ? "" : expected + ":")
                    || expected == null && got != null) {
                wrong.add(one.getString("file") + ": " + one.getString("message") + " / " + got);
            }
        }
        assertEquals(join(wrong), 0, wrong.size());
    }

    @Test
    public void aBitInEachByteOfASignedBundle() throws Exception {
        byte[] whole = Vectors.bytes("two.edge");
        List<byte[]> key = Collections.singletonList(Vectors.bytes("key.pem.pub"));
        assertEquals(null, verify(whole, key));
        // All of the frame, the manifest and the signature are in the first bytes and the last; of models every 97th.
        for (int place = 0; place < whole.length; place += place < 12000 || place > whole.length - 3000 ? 3 : 97) {
            byte[] flipped = whole.clone();
            flipped[place] ^= 1 << place % 8;
            String got = verify(flipped, key);
            assertTrue("byte " + place, got != null && got.startsWith("Bundle"));
        }
    }

    @Test
    public void everyTruncation() throws Exception {
        byte[] whole = Vectors.bytes("two.edge");
        for (int length = 0; length < whole.length; length += length < 50 ? 1 : 509) {
            String got = verify(Arrays.copyOf(whole, length), NO_KEYS);
            assertTrue("length " + length, got != null && got.startsWith("BundleFormatError"));
        }
    }

    @Test
    public void whatAGoodOneHolds() throws Exception {
        Bundle bundle = Bundle.open(ModelSource.file(Vectors.file("two.edge")),
                Collections.singletonList(Vectors.bytes("key.pem.pub")));
        assertEquals(Arrays.asList("float", "int8"), bundle.variants());
        assertEquals(Collections.singletonList("pixel-8"), bundle.profiles());
        assertEquals("verified", bundle.trust());
        assertEquals(Vectors.object("sessions.json").getString("key_id"), bundle.signedBy());
        assertEquals(Arrays.asList("class 0", "class 1", "class 2", "class 3", "class 4"), bundle.labels("scores"));
        assertTrue(bundle.labels("other").isEmpty());
        assertFalse(bundle.takesPicture("image"));
        List<Bundle.GoldenCase> golden = bundle.golden("int8");
        assertEquals(3, golden.size());
        assertEquals("int8[1, 8, 8, 3]", golden.get(0).inputs.get("image").toString());
        ByteBuffer model = bundle.model("float");
        assertArrayEquals(Vectors.bytes("float.tflite").length > 0 ? new byte[] {'T', 'F', 'L', '3'} : null,
                Arrays.copyOfRange(Hashes.bytes(model), 4, 8));
        assertTrue(model.isDirect());
        EdgeArray scores = EdgeArray.of(new float[] {0, 3, 1, 3, 2}, 1, 5);
        List<Bundle.Scored> best = bundle.postprocess("scores", scores).ranking.get(0);
        assertEquals("class 1", best.get(0).label);
        assertEquals(3, best.get(1).index);
    }

    @Test
    public void keys() throws Exception {
        byte[] whole = Vectors.bytes("two.edge");
        assertTrue(verify(whole, Collections.singletonList(new byte[32])).startsWith("BundleSignatureError"));
        for (byte[] nonsense : new byte[][] {new byte[5], "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----".getBytes(),
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".getBytes()}) {
            assertTrue(verify(whole, Collections.singletonList(nonsense)).startsWith("BundleError: test: not"));
        }
    }

    @Test
    public void jsonAsStrictAsPythons() throws Exception {
        JSONArray cases = Vectors.list("json.json");
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            byte[] data = Base64.getDecoder().decode(one.getString("data"));
            boolean taken = true;
            try {
                StrictJson.load(ByteBuffer.wrap(data));
            } catch (StrictJson.Malformed error) {
                taken = false;
            }
            assertEquals(new String(data), one.getBoolean("taken"), taken);
        }
        byte[] deep = new byte[100000];
        Arrays.fill(deep, (byte) '[');
        try {
            StrictJson.load(ByteBuffer.wrap(deep));
            fail("nested without end");
        } catch (StrictJson.Malformed error) {
            assertTrue(error.getMessage().contains("too deep"));
        }
    }

    /** Null if every check is passed, else the error's kind and message. */
    static String verify(byte[] data, List<byte[]> keys) {
        try {
            Bundle.open(Vectors.source(data), keys).verifyAll();
            return null;
        } catch (EdgeException error) {
            assertFalse(error.getMessage().contains("\n"));
            return error.kind() + ": " + error.getMessage();
        }
    }

    private static List<byte[]> keys(JSONArray from) {
        List<byte[]> made = new ArrayList<>();
        for (int index = 0; index < from.length(); index++) {
            made.add(Base64.getDecoder().decode(from.getString(index)));
        }
        return made;
    }

    private static String join(List<String> lines) {
        StringBuilder made = new StringBuilder();
        for (String line : lines) {
            made.append(line).append('\n');
        }
        return made.toString();
    }
}
