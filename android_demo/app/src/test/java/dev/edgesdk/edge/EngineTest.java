package dev.edgesdk.edge;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeFalse;

import java.util.List;
import java.util.Map;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.AfterClass;
import org.junit.BeforeClass;
import org.junit.Test;

/** The wrapper against a real engine: TensorFlow 2.16.1, the version in the APK. */
public final class EngineTest {
    private static final SessionOptions PLAIN = SessionOptions.defaults();
    private static PipeEngine engine;

    @BeforeClass
    public static void start() throws Exception {
        String python = System.getProperty("edge.python", "");
        assumeFalse("no Python with TensorFlow 2.16.1: make test-android", python.isEmpty());
        engine = new PipeEngine(python);
    }

    @AfterClass
    public static void stop() throws Exception {
        if (engine != null) {
            engine.close();
        }
    }

    @Test
    public void itIsTheVersionOfTheApk() {
        assertEquals("tensorflow 2.16.1", engine.name());
    }

    /** Python's session ran the same bundle on LiteRT: the other engine's own kernels, the wrapper's own rounding. */
    @Test
    public void runsAsPythonDoes() throws Exception {
        JSONObject told = Vectors.object("sessions.json");
        EdgeArray image = Vectors.array(told.getJSONObject("image"));
        for (String variant : new String[] {"float", "int8"}) {
            SessionOptions options = PLAIN.variants(variant).delegates("cpu").trustedKeys(Vectors.bytes("key.pem.pub"));
            try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file("two.edge")), engine, options)) {
                Opening opening = session.receipt().opening();
                assertEquals(Facts.SelfTest.PASSED, opening.chosen.ran.selfTest.result);
                assertEquals(3, opening.chosen.ran.selfTest.cases);
                assertTrue(opening.chosen.ran.runMs > 0 && opening.chosen.ran.initMs > 0);
                Map<String, EdgeArray> made = session.run(SessionTest.map("image", image));
                double[] expected = Vectors.array(told.getJSONObject("runs").getJSONObject(variant)
                        .getJSONObject("scores")).doubles();
                // Of int8 all is equal; float32 sums of 192 products may round elsewhere.
                assertArrayEquals(expected, made.get("scores").doubles(), variant.equals("int8") ? 0 : 1e-4);
            }
        }
    }

    @Test
    public void aDelegateThatComputesWrongIsFoundOut() {
        try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file("two.edge")), engine, PLAIN)) {
            List<Attempt> attempts = session.receipt().opening().attempts;
            assertEquals("gpu", attempts.get(0).candidate.name);
            assertEquals("wrong-results", attempts.get(0).outcome);
            assertEquals("xnnpack", session.receipt().opening().chosen.candidate.name);
            assertEquals("int8", session.receipt().active);
        }
    }

    @Test
    public void aBareFileIsHeldAgainstTheEnginesOwnKernels() {
        for (String name : new String[] {"float.tflite", "int8.tflite"}) {
            try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file(name)), engine, PLAIN)) {
                SelfTest test = session.receipt().opening().chosen.ran.selfTest;
                assertEquals("verified against tensorflow 2.16.1's own kernels", test.toString());
                assertEquals("wrong-results", session.receipt().opening().attempts.get(0).outcome);
            }
        }
    }

    /** As tests/runtime/test_decisions.py has it of Python: the last bit moves an argmax, and is no fault. */
    @Test
    public void roundingThatMovesADecisionIsExplained() {
        for (String name : new String[] {"argmax", "unsigned-argmax", "top"}) {
            String words = deciding(name, "rounding").toString();
            String op = name.equals("top") ? "TOPK_V2" : "ARG_MAX";
            assertTrue(words, words.startsWith("verified against the bundle's golden outputs right before " + op
                    + " (op 1, values at most 0 apart), which decides between values that hardly differ"));
        }
    }

    @Test
    public void whatRoundingDoesNotExplainStaysAFault() {
        for (String name : new String[] {"argmax", "unsigned-argmax", "top"}) {
            SelfTest skewed = deciding(name, "skewed"), choosing = deciding(name, "choosing");
            assertEquals(Facts.SelfTest.FAILED, skewed.result);
            assertTrue(skewed.faults.toString(), skewed.faults.toString().contains("output `#"));
            assertTrue(skewed.faults.toString(), skewed.faults.toString().contains("expected >= 60"));
            assertEquals(Facts.SelfTest.FAILED, choosing.result);
            // All is right before the decision: it is the decision that is told.
            assertTrue(choosing.faults.toString(), choosing.faults.toString().startsWith("[output `best`: max abs error "));
            assertFalse(choosing.faults.toString(), choosing.faults.toString().contains("#"));
        }
    }

    /** The verdict on a GPU of a kind; where it is turned down the CPU runs. */
    private static SelfTest deciding(String name, String gpu) {
        engine.gpu = gpu;
        SessionOptions options = PLAIN.delegates("gpu", "cpu");
        try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file(name + ".edge")), engine, options)) {
            return session.receipt().opening().attempts.get(0).ran.selfTest;
        } finally {
            engine.gpu = "wrong";
        }
    }

    /** FULLY_CONNECTED version 12, as newer converters write it for dynamic range. */
    @Test
    public void anOpThatIsTooNewIsTheEnginesOwnError() {
        try {
            EdgeSession.open(ModelSource.file(Vectors.file("newer.tflite")), engine, PLAIN.delegates("cpu"));
            fail();
        } catch (EdgeException.Model error) {
            assertTrue(error.getMessage(), error.getMessage().contains("'FULLY_CONNECTED' version '12'"));
        }
    }

    /** Python's session made the same calls on LiteRT: several calls of each signature, state kept, set back and kept again. */
    @Test
    public void signaturesShareWeightsAndState() throws Exception {
        JSONObject told = Vectors.object("calls.json");
        for (String name : new String[] {"calls", "calls8", "delay", "svdf"}) {
            JSONArray steps = told.getJSONArray(name);
            for (String delegate : new String[] {"cpu", "xnnpack"}) {
                SessionOptions options = PLAIN.delegates(delegate).keepState(true);
                try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file(name + ".tflite")), engine,
                        options)) {
                    for (int step = 0; step < steps.length(); step++) {
                        replay(session, steps.getJSONObject(step));
                    }
                }
            }
        }
    }

    private static void replay(EdgeSession session, JSONObject step) {
        if (step.has("reset")) {
            session.reset();
            return;
        }
        Map<String, EdgeArray> inputs = SignatureTest.arrays(step.getJSONObject("inputs")), made;
        if (step.has("calls")) {
            JSONArray keys = step.getJSONArray("calls");
            String[] calls = new String[keys.length()];
            for (int place = 0; place < calls.length; place++) {
                calls[place] = keys.getString(place);
            }
            made = session.sequence(calls).run(inputs);
        } else {
            made = step.has("key") ? session.signature(step.getString("key")).run(inputs) : session.run(inputs);
        }
        SignatureTest.assertSame(SignatureTest.arrays(step.getJSONObject("outputs")), made);
    }

    @Test
    public void stateIsSetBackUnlessItIsKept() {
        ModelSource source = ModelSource.file(Vectors.file("calls.tflite"));
        EdgeArray ones = EdgeArray.of(new float[] {1, 1, 1, 1}, 1, 4);
        Map<String, EdgeArray> decode = SessionTest.map("token", ones);
        decode.put("cache", ones);
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.delegates("cpu"))) {
            session.run(SessionTest.map("x", ones));
            failsToRead(session, decode);
            try {
                session.sequence(SignatureTest.CALLS);
                fail();
            } catch (EdgeException.Target error) {
                assertEquals("open it with keepState(true)", error.hint);
            }
        }
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.delegates("cpu").keepState(true))) {
            failsToRead(session, decode);
            session.run(SessionTest.map("x", ones));
            assertEquals(2, session.signature("decode").run(decode).get("sum").get(0), 0);
            assertEquals(3, session.signature("decode").run(decode).get("sum").get(0), 0);
            session.reset();
            failsToRead(session, decode);
        }
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.delegates("cpu").signature("decode"))) {
            assertEquals("[token: float32[1, 4], cache: float32[1, 4]]", session.inputs().toString());
        }
    }

    private static void failsToRead(EdgeSession session, Map<String, EdgeArray> inputs) {
        try {
            session.signature("decode").run(inputs);
            fail();
        } catch (EdgeException.Model error) {
            assertTrue(error.getMessage(), error.getMessage().contains("reads variable `sum`, which nothing has set yet"));
        }
    }

    @Test
    public void goldenSequencesAreRun() {
        for (String name : new String[] {"calls.edge", "calls8.edge"}) {
            try (EdgeSession session = EdgeSession.open(ModelSource.file(Vectors.file(name)), engine, PLAIN)) {
                Opening opening = session.receipt().opening();
                assertEquals("gpu wrong-results", opening.attempts.get(0).toString().substring(0, 17));
                assertEquals("xnnpack", opening.chosen.candidate.name);
                assertEquals(Facts.SelfTest.PASSED, opening.chosen.ran.selfTest.result);
                assertEquals(6, opening.chosen.ran.selfTest.cases);
                assertTrue(opening.line(), opening.line().contains("golden runs of prefill then decode"));
            }
        }
        // prefill alone is right, and decode adds another constant than it did when the bundle was made.
        try {
            EdgeSession.open(ModelSource.file(Vectors.file("forged.edge")), engine, PLAIN.delegates("xnnpack"));
            fail();
        } catch (EdgeException.DelegateUnavailable error) {
            assertTrue(error.getMessage(), error.getMessage().contains("output `decode@2/cache`: max abs error 1"));
        }
    }
}
