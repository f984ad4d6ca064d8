package dev.edgesdk.edge;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeFalse;

import java.util.List;
import java.util.Map;

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
}
