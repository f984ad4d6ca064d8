package dev.edgesdk.edge;

import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/**
 * What a session adds to a run, on an engine that computes nothing: against the same buffers filled and read by hand, in
 * turn. Names, shapes, types and finite values are checked, quantized ones rounded, outputs new arrays.
 */
public final class OverheadTest {
    private static final int ROUNDS = 400, RUNS = 50, WARM = 200;
    /** What the project asks for, of models with inputs as small as these. */
    private static final double MOST_US = 20;

    @Test
    public void aRunCostsLittle() throws Exception {
        JSONArray rows = new JSONArray();
        for (String variant : new String[] {"float", "int8"}) {
            ModelSource source = ModelSource.file(Vectors.file("two.edge"));
            Bundle bundle = Bundle.open(source, java.util.Collections.<byte[]>emptyList());
            try (EdgeSession session = EdgeSession.open(source, new ReplayEngine(null), SessionOptions.defaults()
                    .variants(variant).delegates("cpu").policy(Policy.fromText("self_test=off")))) {
                JSONObject row = measure(session, bundle.variant(variant)).put("model", variant);
                rows.put(row);
                assertTrue(row.toString(), row.getDouble("overhead_us") <= MOST_US);
                assertTrue(row.toString(), row.getDouble("session_us") > row.getDouble("raw_us"));
            }
        }
        Files.write(Vectors.file("overhead.json").toPath(), rows.toString(1).getBytes(StandardCharsets.UTF_8));
    }

    private static JSONObject measure(EdgeSession session, Variant variant) {
        float[] values = new float[(int) EdgeArray.elements(variant.inputs.get(0).shape())];
        Random random = new Random(0);
        for (int index = 0; index < values.length; index++) {
            values[index] = (float) random.nextGaussian();
        }
        Map<String, EdgeArray> inputs = SessionTest.map("image", EdgeArray.of(values, variant.inputs.get(0).shape()));
        boolean isFloat = variant.inputs.get(0).scale == null;
        double[] whole = new double[ROUNDS], byHand = new double[ROUNDS], raw = new double[ROUNDS];
        for (int round = -WARM; round < ROUNDS; round++) {
            double[] took = {runs(session, inputs), hand(session, values, isFloat), bare(session)};
            if (round >= 0) {
                whole[round] = took[0];
                byHand[round] = took[1];
                raw[round] = took[2];
            }
        }
        double with = median(whole), without = median(byHand);
        return new JSONObject().put("values", values.length).put("session_us", with).put("by_hand_us", without)
                .put("raw_us", median(raw)).put("overhead_us", with - without).put("rounds", ROUNDS * RUNS);
    }

    private static double runs(EdgeSession session, Map<String, EdgeArray> inputs) {
        long began = System.nanoTime();
        for (int run = 0; run < RUNS; run++) {
            session.run(inputs);
        }
        return (System.nanoTime() - began) / 1e3 / RUNS;
    }

    /** What an app without the wrapper does: fill, run, read. */
    private static double hand(EdgeSession session, float[] values, boolean isFloat) {
        ByteBuffer into = session.rawInput("image"), from = session.rawOutput("scores");
        float[] scores = new float[5];
        byte[] bytes = new byte[from.capacity()];
        long began = System.nanoTime();
        for (int run = 0; run < RUNS; run++) {
            into.clear();
            if (isFloat) {
                FloatBuffer floats = into.asFloatBuffer();
                floats.put(values);
            } else {
                for (float value : values) {
                    into.put((byte) Math.min(Math.max(Math.rint(value / 0.03f), -128), 127));
                }
            }
            session.runRaw();
            from.clear();
            if (isFloat) {
                from.asFloatBuffer().get(scores);
            } else {
                from.get(bytes);
            }
        }
        return (System.nanoTime() - began) / 1e3 / RUNS;
    }

    /** No copies at all. */
    private static double bare(EdgeSession session) {
        long began = System.nanoTime();
        for (int run = 0; run < RUNS; run++) {
            session.runRaw();
        }
        return (System.nanoTime() - began) / 1e3 / RUNS;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
