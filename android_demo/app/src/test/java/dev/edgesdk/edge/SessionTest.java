package dev.edgesdk.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Before;
import org.junit.Test;

/** Sessions on an engine that replays golden outputs: fallback, policy, memory, receipt, threads, cancelling. */
public final class SessionTest {
    private static final SessionOptions PLAIN = SessionOptions.defaults();
    private ModelSource source;
    private Bundle bundle;

    @Before
    public void open() {
        source = ModelSource.file(Vectors.file("two.edge"));
        bundle = Bundle.open(source, Collections.<byte[]>emptyList());
    }

    @Test
    public void everyAcceleratorGetsTheVariantThatSuitsIt() {
        ReplayEngine engine = new ReplayEngine(bundle, "gpu", "half");
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN)) {
            assertEquals("float", session.receipt().active);
            assertEquals("gpu", session.receipt().opening().chosen.candidate.name);
            assertEquals(Facts.SelfTest.PASSED, session.receipt().opening().chosen.ran.selfTest.result);
        }
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.delegates("xnnpack"))) {
            assertEquals("int8", session.receipt().active);
        }
        assertEquals(0, engine.open);
    }

    @Test
    public void fallsBackAndSaysWhy() {
        ReplayEngine engine = new ReplayEngine(bundle, "gpu", "wrong", "nnapi", "absent", "xnnpack", "fails");
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN)) {
            List<Attempt> attempts = session.receipt().opening().attempts;
            assertEquals(4, attempts.size());
            assertEquals("wrong-results", attempts.get(0).outcome);
            assertTrue(attempts.get(0).detail, attempts.get(0).detail.startsWith("output `scores`: "));
            assertEquals("nnapi unavailable: nnapi: no such hardware (take another)", attempts.get(1).toString());
            assertEquals("xnnpack unavailable: the driver hung", attempts.get(2).toString());
            assertEquals("chosen", attempts.get(3).outcome);
            assertTrue(session.receipt().line().contains("verified against the bundle's golden outputs"));
            assertEquals(Facts.SelfTest.PASSED, session.selfTest().result);
            assertEquals(3, session.selfTest().cases);
        }
        assertEquals(Arrays.asList("open gpu", "close gpu", "open nnapi", "open xnnpack", "close xnnpack", "open cpu",
                "close cpu"), engine.log);
    }

    @Test
    public void refusalsNameEveryCandidateAndCloseAll() {
        ReplayEngine engine = new ReplayEngine(bundle, "gpu", "wrong", "nnapi", "absent");
        expect("DelegateUnavailableError", "gpu wrong-results", engine, PLAIN.delegates("gpu", "nnapi"));
        expect("DelegateUnavailableError", "nnapi: no such hardware", engine, PLAIN.delegates("nnapi"));
        expect("DelegateUnavailableError", "cpu not-required", engine, PLAIN.policy(Policy.fromText("npu=require")));
        expect("DelegateUnavailableError", "too-slow", new ReplayEngine(bundle, "cpu", "slow"),
                PLAIN.delegates("cpu").policy(Policy.fromText("max_latency_ms=5")));
        assertEquals(0, engine.open);
    }

    @Test
    public void optionsThatMakeNoSense() throws Exception {
        ReplayEngine engine = new ReplayEngine(bundle);
        expect("PolicyError", "unknown delegate `tpu`", engine, PLAIN.delegates("tpu"));
        expect("PolicyError", "profile `nokia-3310` is not in the bundle", engine, PLAIN.profile("nokia-3310"));
        expect("PolicyError", "no deadline", engine, PLAIN.variants("float", "int8"));
        expect("BundleError", "has no variant `flota`", engine, PLAIN.variants("flota"));
        expect("BundleSignatureError", "trusted are", engine, PLAIN.trustedKeys(new byte[32]));
        ModelSource bare = ModelSource.file(Vectors.file("float.tflite"));
        for (SessionOptions one : Arrays.asList(PLAIN.variants("float"), PLAIN.trustedKeys(new byte[32]),
                PLAIN.profile("pixel-8"))) {
            try {
                EdgeSession.open(bare, engine, one);
                fail();
            } catch (EdgeException.Policy error) {
                assertTrue(error.getMessage(), error.hint == null || !error.hint.isEmpty());
            }
        }
        try {
            PLAIN.threads(0);
            fail();
        } catch (EdgeException.Policy error) {
            assertEquals("threads: expected 1 or more, got 0", error.getMessage());
        }
    }

    @Test
    public void profileGivesTheOrderAndThePrediction() {
        ReplayEngine engine = new ReplayEngine(bundle);
        engine.steps.put("gpu", 1);
        engine.steps.put("xnnpack", 1);
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.profile("pixel-8"))) {
            List<String> names = new ArrayList<>();
            for (Attempt attempt : session.receipt().opening().attempts) {
                names.add(attempt.candidate.name);
            }
            assertTrue(names.toString(), names.containsAll(Arrays.asList("gpu", "xnnpack", "cpu")));
            assertEquals(names.size(), new TreeSet<>(names).size());
        }
    }

    @Test
    public void theLengthOfThePlanTellsOrRefutes() {
        ReplayEngine engine = new ReplayEngine(bundle);
        int ops = TfliteReader.read("m", "", bundle.model("float")).ops;
        assertTrue("a model that shows something", ops > 2);
        SessionOptions gpu = PLAIN.delegates("gpu").variants("float");
        Placement all = placed(engine, 1, gpu);
        assertEquals("measured", all.toldBy);
        assertEquals(Integer.valueOf(ops), all.delegated);
        Placement none = placed(engine, ops, gpu);
        assertNull(none.toString(), none.delegated);
        try (EdgeSession session = EdgeSession.open(source, engine, gpu)) {
            assertTrue(session.receipt().line(), session.receipt().line().contains("is not told by the engine"));
        }
        expect("DelegateUnavailableError", "placement-unknown", engine, gpu.policy(Policy.fromText("cpu=forbid")));
    }

    private Placement placed(ReplayEngine engine, int steps, SessionOptions options) {
        engine.steps.put("gpu", steps);
        try (EdgeSession session = EdgeSession.open(source, engine, options)) {
            return session.receipt().opening().chosen.ran.placement;
        }
    }

    @Test
    public void fastestIsTakenAndTheOthersClosed() {
        ReplayEngine engine = new ReplayEngine(bundle, "xnnpack", "slow");
        SessionOptions options = PLAIN.delegates("xnnpack", "cpu").policy(Policy.fromText("pick=fastest"));
        try (EdgeSession session = EdgeSession.open(source, engine, options)) {
            assertEquals("cpu", session.receipt().opening().chosen.candidate.name);
            assertEquals("slower", session.receipt().opening().attempts.get(0).outcome);
            assertEquals(1, engine.open);
        }
        assertEquals(0, engine.open);
    }

    @Test
    public void valuesAreCheckedAndRounded() {
        ReplayEngine engine = new ReplayEngine(bundle);
        Bundle.GoldenCase one = bundle.golden("int8").get(1);
        Port port = TfliteReader.read("m", "", bundle.model("int8")).inputs.get(0);
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.variants("int8"))) {
            assertEquals("image: float32[1, 8, 8, 3]", session.inputs().get(0).toString());
            EdgeArray real = Ports.toReal(one.inputs.get("image"), port);
            float[] expected = Ports.toReal(one.outputs.get("scores"), bundle.variant("int8").outputs.get(0)).floats();
            assertTrue(Arrays.equals(expected, session.run(map("image", real)).get("scores").floats()));
            assertTrue(Arrays.equals(expected, session.run(map("image", one.inputs.get("image"))).get("scores").floats()));
            refused(session, map("image", EdgeArray.zeros(DType.FLOAT32, 1, 8, 8)), "expected shape [1, 8, 8, 3]");
            refused(session, map("image", EdgeArray.zeros(DType.UINT8, 1, 8, 8, 3)), "expected dtype int8 or float32");
            refused(session, map("picture", real), "input `image` is missing");
            Map<String, EdgeArray> more = map("image", real);
            more.put("mask", real);
            refused(session, more, "[image, mask] are given");
            real.buffer().putFloat(4 * 7, Float.NaN);
            refused(session, map("image", real), "not finite, the first is number 7");
        }
        try (EdgeSession session = EdgeSession.open(source, engine,
                PLAIN.variants("int8").values(SessionOptions.Values.RAW))) {
            assertEquals("int8", session.outputs().get(0).dtype);
            refused(session, map("image", EdgeArray.zeros(DType.FLOAT32, 1, 8, 8, 3)), "expected dtype int8, got");
        }
        EdgeArray odd = EdgeArray.zeros(DType.FLOAT32, 1, 8, 8, 3);
        odd.buffer().putFloat(0, Float.POSITIVE_INFINITY);
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.variants("float").passesNan(true))) {
            session.run(map("image", odd));
        }
    }

    @Test
    public void rawBuffersAreTheEngines() {
        Bundle.GoldenCase one = bundle.golden("float").get(2);
        try (EdgeSession session = EdgeSession.open(source, new ReplayEngine(bundle), PLAIN.variants("float"))) {
            session.rawInput("image").clear();
            session.rawInput("image").put(one.inputs.get("image").buffer());
            session.runRaw();
            session.rawOutput("scores").clear();
            assertEquals(one.outputs.get("scores").get(3), session.rawOutput("scores").getFloat(12), 0);
        }
    }

    @Test
    public void memoryGuardAndBudget() throws Exception {
        File meminfo = File.createTempFile("meminfo", "");
        Files.write(meminfo.toPath(), "MemTotal: 9 kB\nMemAvailable:  0 kB\n".getBytes());
        ReplayEngine engine = new ReplayEngine(bundle);
        expect("TargetError", "MemAvailable leaves 0.0 MiB", engine, PLAIN.limits(MemoryLimits.of(meminfo)));
        assertTrue(meminfo.delete());
        assertNull(MemoryLimits.of(meminfo).tightest());
        MemoryBudget budget = new MemoryBudget(1);
        expect("TargetError", "the memory budget of 0.0 MiB", engine, PLAIN.budget(budget));
        MemoryBudget ample = new MemoryBudget(1 << 30);
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.budget(ample))) {
            assertEquals((1 << 30) - session.receipt().opening().need.totalBytes(), ample.freeBytes());
        }
        assertEquals(1 << 30, ample.freeBytes());
    }

    @Test
    public void receiptHasPythonsKeys() throws Exception {
        JSONObject python = Vectors.object("sessions.json").getJSONObject("runs").getJSONObject("float")
                .getJSONObject("receipt");
        try (EdgeSession session = EdgeSession.open(source, new ReplayEngine(bundle),
                PLAIN.variants("float").delegates("cpu"))) {
            JSONObject java = session.receipt().toJson();
            assertEquals(shape(python).toString(), shape(java).toString());
            JSONObject expected = python.getJSONArray("openings").getJSONObject(0);
            JSONObject got = java.getJSONArray("openings").getJSONObject(0);
            assertEquals(expected.getString("sha256"), got.getString("sha256"));
            assertEquals(expected.getJSONObject("need").getLong("arena_bytes"),
                    got.getJSONObject("need").getLong("arena_bytes"));
            assertTrue(python.getJSONObject("asked").getJSONObject("policy")
                    .similar(java.getJSONObject("asked").getJSONObject("policy")));
            assertEquals(python.getString("edge_sdk"), java.getString("edge_sdk"));
        }
    }

    /** Keys at every level; of lists, of the first item. */
    private static Object shape(Object value) {
        if (value instanceof JSONArray) {
            JSONArray list = (JSONArray) value;
            return list.length() == 0 ? "[]" : Collections.singletonList(shape(list.get(0)));
        }
        if (!(value instanceof JSONObject)) {
            return "";
        }
        Map<String, Object> made = new java.util.TreeMap<>();
        for (String key : ((JSONObject) value).keySet()) {
            made.put(key, shape(((JSONObject) value).get(key)));
        }
        return made;
    }

    @Test
    public void oneThreadAndClosed() throws Exception {
        final EdgeSession session = EdgeSession.open(source, new ReplayEngine(bundle), PLAIN.variants("float"));
        final Map<String, EdgeArray> inputs = map("image", EdgeArray.zeros(DType.FLOAT32, 1, 8, 8, 3));
        try (EdgeWorker worker = new EdgeWorker()) {
            try {
                worker.call(new Callable<Map<String, EdgeArray>>() {
                    @Override
                    public Map<String, EdgeArray> call() {
                        return session.run(inputs);
                    }
                });
                fail();
            } catch (EdgeException.Model error) {
                assertTrue(error.getMessage(), error.getMessage().endsWith("and is used on `edge-sdk`"));
            }
        }
        assertNotSame(session.run(inputs).get("scores"), session.run(inputs).get("scores"));
        session.close();
        session.close();
        assertTrue(session.receipt().line().length() > 20);
        try {
            session.run(inputs);
            fail();
        } catch (EdgeException.Model error) {
            assertEquals("the session is closed", error.getMessage());
        }
    }

    @Test(timeout = 20000)
    public void cancelledFromAnotherThread() throws Exception {
        final ReplayEngine engine = new ReplayEngine(bundle, "cpu", "endless");
        final Cancellation token = new Cancellation();
        try (EdgeWorker worker = new EdgeWorker()) {
            Future<EdgeSession> opening = worker.submit(new Callable<EdgeSession>() {
                @Override
                public EdgeSession call() {
                    return EdgeSession.open(source, engine, PLAIN.delegates("cpu").cancellation(token));
                }
            });
            engine.running.await();
            token.cancel();
            try {
                opening.get();
                fail();
            } catch (ExecutionException error) {
                assertEquals(EdgeException.Cancelled.class, error.getCause().getClass());
            }
        }
        assertEquals(0, engine.open);
        token.clear();
        engine.behaviour.put("cpu", "good");
        try (EdgeSession session = EdgeSession.open(source, engine, PLAIN.delegates("cpu").cancellation(token))) {
            token.cancel();
            try {
                session.runRaw();
                fail();
            } catch (EdgeException.Cancelled error) {
                assertEquals("CancelledError", error.kind());
            }
            token.clear();
            session.runRaw();
        }
    }

    @Test
    public void loadIsJudgedAsInPython() throws Exception {
        JSONObject one = Vectors.object("load.json");
        Deadline deadline = new Deadline(one.getDouble("ms"), one.getInt("misses"), one.getInt("calm"),
                one.getDouble("margin"));
        JSONArray usual = one.getJSONArray("usual"), took = one.getJSONArray("took"), levels = one.getJSONArray("levels");
        double[] usualMs = {usual.getDouble(0), usual.getDouble(1), usual.getDouble(2)};
        LoadState state = new LoadState();
        for (int run = 0; run < took.length(); run++) {
            state = state.after(took.getDouble(run), deadline, usualMs);
            assertEquals("run " + run, levels.getInt(run), state.level);
        }
    }

    @Test
    public void aFasterVariantTakesOver() {
        ReplayEngine engine = new ReplayEngine(bundle, "cpu", "slow");
        SessionOptions options = PLAIN.delegates("cpu").variants("float", "int8").deadline(new Deadline(5));
        Map<String, EdgeArray> inputs = map("image", EdgeArray.zeros(DType.FLOAT32, 1, 8, 8, 3));
        try (EdgeSession session = EdgeSession.open(source, engine, options)) {
            for (int run = 0; run < 3; run++) {
                assertEquals("float", session.receipt().active);
                session.run(inputs);
            }
            assertEquals("int8", session.receipt().active);
            assertTrue(session.receipt().line(), session.receipt().line().contains("3 runs in a row took more than"));
        }
        assertEquals(0, engine.open);
    }

    @Test
    public void halvesRoundAsIeeeSays() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            double value = Half.toDouble((short) bits);
            if (!Double.isNaN(value)) {
                assertEquals((short) bits, Half.of((float) value));
            }
        }
        assertEquals(0x3C00, Half.of(1 + 0x1p-11f));
        assertEquals(0x3C02, Half.of(1 + 3 * 0x1p-11f));
        assertEquals(0x7C00, Half.of(65520f));
        assertEquals(0x7BFF, Half.of(65519f));
    }

    private void expect(String kind, String words, Engine engine, SessionOptions options) {
        try {
            EdgeSession.open(source, engine, options).close();
            fail(words);
        } catch (EdgeException error) {
            assertEquals(error.getMessage(), kind, error.kind());
            assertTrue(error.getMessage(), error.getMessage().contains(words));
        }
    }

    private static void refused(EdgeSession session, Map<String, EdgeArray> inputs, String words) {
        try {
            session.run(inputs);
            fail(words);
        } catch (EdgeException.Signature error) {
            assertTrue(error.getMessage(), error.getMessage().contains(words));
        }
    }

    static Map<String, EdgeArray> map(String name, EdgeArray values) {
        Map<String, EdgeArray> made = new HashMap<>();
        made.put(name, values);
        return made;
    }
}
