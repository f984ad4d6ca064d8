package dev.edgesdk.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** Steps before and after a run: what Python makes of the same values. */
public final class ProcessingTest {
    /** A picture's values may be off by one, as FORMAT.md allows for sums in another order; then half the rest is scaled. */
    @Test
    public void stepsThatMakeInputs() throws Exception {
        JSONArray cases = Vectors.list("pre.json");
        assertTrue(cases.length() >= 100);
        int same = 0;
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            Processing processing = new Processing(plain("image", one.getJSONArray("steps")));
            try {
                EdgeArray made = processing.preprocess("image", Vectors.array(one.getJSONObject("picture")));
                EdgeArray expected = Vectors.array(one.getJSONObject("made"));
                assertEquals(one.getJSONArray("steps").toString(), expected.toString(), made.toString());
                same += Arrays.equals(expected.doubles(), made.doubles()) ? 1 : 0;
                for (int place = 0; made.dtype == DType.UINT8 && place < made.size(); place++) {
                    assertEquals(expected.get(place), made.get(place), 1);
                }
            } catch (EdgeException.BundleFormat error) {
                assertEquals(one.getJSONArray("steps") + " " + error.getMessage(), one.optString("error", null), error.kind());
                same++;
            }
        }
        assertTrue(same + " of " + cases.length() + " are equal to the last bit", same >= cases.length() - 2);
    }

    @Test
    public void stepsOnOutputs() throws Exception {
        JSONArray cases = Vectors.list("post.json");
        for (int index = 0; index < cases.length(); index++) {
            JSONObject one = cases.getJSONObject(index);
            Map<String, Object> table = new LinkedHashMap<>();
            table.put("inputs", new ArrayList<>());
            Map<String, Object> output = new LinkedHashMap<>();
            output.put("name", "scores");
            output.put("steps", strict(one.getJSONArray("steps")));
            table.put("outputs", new ArrayList<>(Arrays.asList(output)));
            Bundle.Result made = new Processing(table).postprocess("scores", Vectors.array(one.getJSONObject("values")),
                    Arrays.asList("a", "b", "c"));
            if (one.has("made")) {
                EdgeArray expected = Vectors.array(one.getJSONObject("made"));
                assertEquals(expected.toString(), made.values.toString());
                for (int place = 0; place < expected.size(); place++) {
                    assertEquals(expected.get(place), made.values.get(place), 1e-7 * Math.abs(expected.get(place)));
                }
            } else {
                assertEquals(one.getJSONArray("ranking").length(), made.ranking.size());
                for (int row = 0; row < made.ranking.size(); row++) {
                    checkRow(one.getJSONArray("ranking").getJSONArray(row), made.ranking.get(row));
                }
            }
        }
    }

    private static void checkRow(JSONArray expected, List<Bundle.Scored> row) {
        assertEquals(expected.length(), row.size());
        for (int place = 0; place < row.size(); place++) {
            JSONArray wanted = expected.getJSONArray(place);
            assertEquals(wanted.getInt(0), row.get(place).index);
            assertEquals(wanted.getDouble(1), row.get(place).score, 1e-7);
            assertEquals(wanted.isNull(2) ? null : wanted.getString(2), row.get(place).label);
        }
    }

    private static Map<String, Object> plain(String name, JSONArray steps) throws Exception {
        Map<String, Object> input = new LinkedHashMap<>();
        input.put("name", name);
        input.put("kind", "image");
        input.put("steps", strict(steps));
        Map<String, Object> table = new LinkedHashMap<>();
        table.put("inputs", new ArrayList<>(Arrays.asList(input)));
        table.put("outputs", new ArrayList<>());
        return table;
    }

    /** As a manifest's own reader gives it. */
    private static Object strict(JSONArray steps) throws Exception {
        return StrictJson.load(java.nio.ByteBuffer.wrap(steps.toString().getBytes("UTF-8")));
    }
}
