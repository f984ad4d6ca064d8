package dev.edgesdk.edge;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** The cases that Python's policy passes too: {@code tests/vectors/policy.json}. */
public final class PolicyTest {
    @Test
    public void sharedCases() throws Exception {
        File file = new File(System.getProperty("edge.vectors"), "policy.json");
        JSONArray cases = new JSONObject(new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8))
                .getJSONArray("cases");
        assertTrue("60 cases or more, not " + cases.length(), cases.length() >= 60);
        for (int index = 0; index < cases.length(); index++) {
            check(cases.getJSONObject(index));
        }
    }

    @Test
    public void policyReadsTextAndItself() throws Exception {
        String text = "npu=require, cpu=forbid,min_mac_share=0.9,max_partitions=3,self_test=off,pick=fastest";
        Policy policy = Policy.fromText(text);
        assertEquals(Policy.Rule.REQUIRE, policy.rule(Policy.Accelerator.NPU));
        assertEquals(Integer.valueOf(3), policy.maxPartitions);
        assertEquals(policy.toJson().toString(), Policy.fromJson(policy.toJson()).toJson().toString());
    }

    @Test
    public void nonsenseIsRefused() {
        String[] wrong = {"gpu", "gpu=yes", "tpu=require", "max_partitions=0", "max_partitions=1.5", "min_mac_share=2",
            "max_latency_ms=-1", "max_latency_ms=soon", "self_test=maybe", "pick=best"};
        for (String text : wrong) {
            try {
                Policy.fromText(text);
                fail(text);
            } catch (EdgeException.Policy error) {
                assertTrue(error.getMessage(), error.getMessage().startsWith("policy: "));
                assertEquals("PolicyError", error.kind());
            }
        }
    }

    private static void check(JSONObject one) throws Exception {
        List<Candidate> candidates = new ArrayList<>();
        JSONArray listed = one.getJSONArray("candidates");
        for (int index = 0; index < listed.length(); index++) {
            JSONArray pair = listed.getJSONArray(index);
            String accelerator = pair.getString(1).toUpperCase(java.util.Locale.ROOT);
            candidates.add(new Candidate(pair.getString(0), Policy.Accelerator.valueOf(accelerator)));
        }
        Decision decision = Decision.decide(Policy.fromJson(one.getJSONObject("policy")), candidates, facts(one));
        String name = one.getString("name");
        assertEquals(name, one.isNull("next") ? null : one.getString("next"), decision.next);
        assertEquals(name, one.isNull("chosen") ? null : one.getString("chosen"), decision.chosen);
        JSONObject reasons = one.getJSONObject("reasons");
        assertEquals(name, reasons.length(), decision.reasons.size());
        for (Map.Entry<String, String> reason : decision.reasons.entrySet()) {
            assertEquals(name, reasons.getString(reason.getKey()), reason.getValue());
        }
    }

    private static Map<String, Facts> facts(JSONObject one) throws Exception {
        Map<String, Facts> found = new HashMap<>();
        JSONObject all = one.getJSONObject("facts");
        for (Iterator<String> names = all.keys(); names.hasNext();) {
            String name = names.next();
            JSONObject known = all.getJSONObject(name);
            found.put(name, known.isNull("unavailable") ? ran(known) : Facts.unavailable(known.getString("unavailable")));
        }
        return found;
    }

    private static Facts ran(JSONObject known) throws Exception {
        Integer delegated = known.isNull("delegated") ? null : known.getInt("delegated");
        Integer partitions = known.isNull("partitions") ? null : known.getInt("partitions");
        Double share = known.isNull("mac_share") ? null : known.getDouble("mac_share");
        Facts.SelfTest test = known.isNull("self_test") ? null
                : Facts.SelfTest.valueOf(known.getString("self_test").toUpperCase(java.util.Locale.ROOT));
        Double runMs = known.isNull("run_ms") ? null : known.getDouble("run_ms");
        return Facts.of(known.optInt("ops"), new Facts.Placement(delegated, partitions, share), test, runMs);
    }
}
