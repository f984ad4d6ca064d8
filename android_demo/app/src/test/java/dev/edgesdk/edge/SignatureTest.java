package dev.edgesdk.edge;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** Several signatures of one file, without an engine: what is read, planned and refused. */
public final class SignatureTest {
    static final String[] CALLS = {"prefill", "decode", "decode"};

    @Test
    public void eachEntryIsRead() throws Exception {
        Model model = TfliteReader.read("m", "", direct("calls.tflite"));
        assertEquals(Arrays.asList("prefill", "decode"), model.signatures);
        assertEquals("prefill", model.key);
        assertEquals("[x: float32[1, 4]]", model.inputs.toString());
        Model decode = model.signature("decode");
        assertEquals(1, decode.subgraph);
        assertEquals("[token: float32[1, 4], cache: float32[1, 4]]", decode.inputs.toString());
        assertEquals("[sum: float32[1, 4], cache: float32[1, 4]]", decode.outputs.toString());
        assertEquals(6, decode.ops);
        assertEquals(Collections.singleton("sum"), model.variables.gives);
        assertEquals(Collections.singleton("sum"), decode.variables.needs);
        refused("signature `decod` does not exist", "the signatures are: [prefill, decode]", model, "decod");
        Model bare = TfliteReader.read("m", "", direct("unnamed.tflite"));
        assertEquals("", bare.key);
        refused("signature `decode` does not exist", "the file has none", bare, "decode");
    }

    /** What Python's {@code edge_sdk.artifact.variables} says of the same files. */
    @Test
    public void variablesAreThoseOfPython() throws Exception {
        JSONArray cases = Vectors.list("variables.json");
        assertTrue(cases.length() > 5);
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            Model model = TfliteReader.read("m", "", Vectors.source(java.util.Base64.getDecoder()
                    .decode(one.getString("model"))).content);
            assertEquals(names(one.getJSONArray("needs")), new java.util.TreeSet<>(model.variables.needs));
            assertEquals(names(one.getJSONArray("gives")), new java.util.TreeSet<>(model.variables.gives));
            assertEquals(names(one.getJSONArray("initial")), new java.util.TreeSet<>(model.variables.initial));
        }
    }

    @Test
    public void callsHandOnWhatHasTheSameName() throws Exception {
        Model model = TfliteReader.read("m", "", direct("calls.tflite"));
        CallPlan plan = CallPlan.of(model, Arrays.asList(CALLS), true);
        assertEquals("[prefill/x: float32[1, 4], decode/token: float32[1, 4], decode@2/token: float32[1, 4]]",
                plan.inputs().toString());
        assertEquals("decode", plan.calls.get(2).carried.get("cache"));
        assertEquals(5, plan.outputs().size());
        // The integers of one scale are not those of another, the real values are.
        Model int8 = TfliteReader.read("m", "", direct("calls8.tflite"));
        List<String> calls = Arrays.asList("prefill", "decode");
        assertEquals(2, CallPlan.of(int8, calls, true).inputs().size());
        assertEquals(3, CallPlan.of(int8, calls, false).inputs().size());
    }

    /** Golden sequences that the file does not have are a damaged bundle, as in Python. */
    @Test
    public void sequencesThatLie() throws Exception {
        open("calls.edge").verifyAll();
        JSONArray lies = Vectors.list("lies.json");
        assertTrue(lies.length() >= 5);
        for (int index = 0; index < lies.length(); index++) {
            try {
                open(lies.getJSONObject(index).getString("file")).verifyAll();
                fail(lies.getJSONObject(index).toString());
            } catch (EdgeException.BundleFormat error) {
                String words = lies.getJSONObject(index).getString("words");
                assertTrue(error.getMessage(), error.getMessage().contains(words));
            }
        }
    }

    /** An engine of one signature says so in the receipt: these runs were not made. */
    @Test
    public void anEngineOfOneSignature() {
        Bundle bundle = open("calls.edge");
        try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file("calls.edge")),
                new ReplayEngine(bundle), SessionOptions.defaults().delegates("cpu").keepState(true))) {
            String line = session.receipt().line();
            assertTrue(line, line.contains("the golden runs of prefill then decode then decode were not made: replay 1 runs"));
            try {
                session.signature("decode");
                fail();
            } catch (EdgeException.Target error) {
                assertTrue(error.getMessage(), error.getMessage().contains("runs one signature"));
            }
        }
    }

    static Map<String, EdgeArray> arrays(JSONObject from) {
        Map<String, EdgeArray> made = new HashMap<>();
        for (Iterator<String> names = from.keys(); names.hasNext();) {
            String name = names.next();
            made.put(name, Vectors.array(from.getJSONObject(name)));
        }
        return made;
    }

    static void assertSame(Map<String, EdgeArray> expected, Map<String, EdgeArray> got) {
        assertEquals(expected.keySet(), got.keySet());
        for (Map.Entry<String, EdgeArray> one : expected.entrySet()) {
            assertArrayEquals(one.getKey(), one.getValue().doubles(), got.get(one.getKey()).doubles(), 0);
        }
    }

    private static void refused(String words, String hint, Model model, String key) {
        try {
            model.signature(key);
            fail(key);
        } catch (EdgeException.Signature error) {
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            assertEquals(hint, error.hint);
        }
    }

    private static java.util.Set<String> names(JSONArray from) {
        java.util.Set<String> made = new java.util.TreeSet<>();
        for (int index = 0; index < from.length(); index++) {
            made.add(from.getString(index));
        }
        return made;
    }

    private static Bundle open(String name) {
        return Bundle.open(ModelSource.file(Vectors.file(name)), Collections.<byte[]>emptyList());
    }

    private static java.nio.ByteBuffer direct(String name) throws Exception {
        assertFalse(name.isEmpty());
        return Vectors.source(Vectors.bytes(name)).content;
    }
}
