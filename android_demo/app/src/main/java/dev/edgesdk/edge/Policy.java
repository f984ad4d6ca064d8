package dev.edgesdk.edge;

import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

import org.json.JSONException;
import org.json.JSONObject;

/**
 * What a session may run on, and what it must reach there. The rules are those of {@code edge_sdk/runtime/POLICY.md},
 * the same as on a board.
 */
public final class Policy {
    /** Hardware that a delegate runs on. */
    public enum Accelerator {
        CPU, GPU, NPU, DSP;

        /** As POLICY.md writes it. */
        public String word() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** What the policy says of one accelerator. */
    public enum Rule {
        REQUIRE, PREFER, ALLOW, FORBID
    }

    /** Whether the first candidate that is admitted is taken, or the fastest of all that are. */
    public enum Pick {
        FIRST, FASTEST
    }

    private static final List<String> LIMITS = Collections.unmodifiableList(
            Arrays.asList("max_partitions", "min_mac_share", "max_latency_ms", "min_sqnr_db"));

    private final Map<Accelerator, Rule> rules;
    /** Of the graph, on accelerators other than the CPU; null for no limit. */
    public final Integer maxPartitions;
    /** Share of multiply-accumulates that must run on the accelerator, 0 to 1; null for no limit. */
    public final Double minMacShare;
    /** What one run may take, in milliseconds, measured when the model is opened; null for no limit. */
    public final Double maxLatencyMs;
    /** What every output must reach in the self-test, in decibels; null takes the golden case's own limits. */
    public final Double minSqnrDb;
    /** False admits a delegate whose results nobody looked at; the receipt says so. */
    public final boolean selfTest;
    /** Which of several admitted candidates is taken. */
    public final Pick pick;

    private Policy(JSONObject table) throws JSONException {
        rules = rules(table);
        maxPartitions = wholeNumber(table, "max_partitions");
        minMacShare = number(table, "min_mac_share");
        maxLatencyMs = number(table, "max_latency_ms");
        minSqnrDb = number(table, "min_sqnr_db");
        selfTest = table.isNull("self_test") || flag(table);
        pick = table.isNull("pick") ? Pick.FIRST : word(Pick.class, "pick", table.get("pick"));
        atLeast("max_partitions", maxPartitions == null ? null : maxPartitions.doubleValue(), 1);
        atLeast("max_latency_ms", maxLatencyMs, 0);
        atLeast("min_mac_share", minMacShare, 0);
        if (minMacShare != null && minMacShare > 1) {
            throw new EdgeException.Policy("policy: min_mac_share: expected 0 to 1, got " + minMacShare);
        }
    }

    /** The policy that allows everything. */
    public static Policy open() {
        return fromJson(new JSONObject());
    }

    /**
     * A policy from plain data; absent keys have their defaults.
     *
     * @throws EdgeException.Policy an unknown key, or a value of another kind
     */
    public static Policy fromJson(JSONObject table) {
        for (Iterator<String> keys = table.keys(); keys.hasNext();) {
            String key = keys.next();
            if (!isKnown(key)) {
                throw new EdgeException.Policy("policy: unknown key `" + key + "`");
            }
        }
        try {
            return new Policy(table);
        } catch (JSONException error) {
            throw new EdgeException.Policy("policy: " + error.getMessage());
        }
    }

    /**
     * A policy from text such as {@code npu=require,min_mac_share=0.9}.
     *
     * @throws EdgeException.Policy an unknown key, or a value of another kind
     */
    public static Policy fromText(String text) {
        JSONObject table = new JSONObject();
        try {
            for (String part : text.split(",")) {
                if (part.trim().isEmpty()) {
                    continue;
                }
                int equals = part.indexOf('=');
                if (equals < 0) {
                    throw new EdgeException.Policy("policy: `" + part.trim() + "`: expected KEY=VALUE");
                }
                table.put(part.substring(0, equals).trim(), part.substring(equals + 1).trim());
            }
        } catch (JSONException error) {
            throw new EdgeException.Policy("policy: " + error.getMessage());
        }
        return fromJson(table);
    }

    /** The rule for an accelerator. */
    public Rule rule(Accelerator accelerator) {
        return rules.get(accelerator);
    }

    /** Whether some accelerator is required. */
    boolean requiresAny() {
        return rules.containsValue(Rule.REQUIRE);
    }

    /** Plain data, with every key; read back by {@link #fromJson}. */
    public JSONObject toJson() throws JSONException {
        JSONObject table = new JSONObject();
        for (Accelerator accelerator : Accelerator.values()) {
            table.put(accelerator.word(), lower(rule(accelerator)));
        }
        table.put("max_partitions", orNull(maxPartitions));
        table.put("min_mac_share", orNull(minMacShare));
        table.put("max_latency_ms", orNull(maxLatencyMs));
        table.put("min_sqnr_db", orNull(minSqnrDb));
        return table.put("self_test", selfTest).put("pick", lower(pick));
    }

    static String lower(Enum<?> value) {
        return value.name().toLowerCase(java.util.Locale.ROOT);
    }

    static Object orNull(Object value) {
        return value == null ? JSONObject.NULL : value;
    }

    private static boolean isKnown(String key) {
        for (Accelerator accelerator : Accelerator.values()) {
            if (accelerator.word().equals(key)) {
                return true;
            }
        }
        return LIMITS.contains(key) || key.equals("self_test") || key.equals("pick");
    }

    private static Map<Accelerator, Rule> rules(JSONObject table) throws JSONException {
        Map<Accelerator, Rule> found = new EnumMap<>(Accelerator.class);
        for (Accelerator accelerator : Accelerator.values()) {
            String key = accelerator.word();
            found.put(accelerator, table.isNull(key) ? Rule.ALLOW : word(Rule.class, key, table.get(key)));
        }
        return found;
    }

    private static <E extends Enum<E>> E word(Class<E> kind, String key, Object value) {
        for (E one : kind.getEnumConstants()) {
            if (lower(one).equals(value)) {
                return one;
            }
        }
        throw new EdgeException.Policy("policy: " + key + ": expected one of "
                + Arrays.toString(kind.getEnumConstants()).toLowerCase(java.util.Locale.ROOT) + ", got " + value);
    }

    private static boolean flag(JSONObject table) throws JSONException {
        Object value = table.get("self_test");
        if (Boolean.TRUE.equals(value) || "on".equals(value)) {
            return true;
        }
        if (Boolean.FALSE.equals(value) || "off".equals(value)) {
            return false;
        }
        throw new EdgeException.Policy("policy: self_test: expected on or off, got " + value);
    }

    private static Integer wholeNumber(JSONObject table, String key) throws JSONException {
        Double value = number(table, key);
        if (value != null && value != Math.rint(value)) {
            throw new EdgeException.Policy("policy: " + key + ": expected a whole number, got " + value);
        }
        return value == null ? null : value.intValue();
    }

    private static Double number(JSONObject table, String key) throws JSONException {
        if (table.isNull(key)) {
            return null;
        }
        Object value = table.get(key);
        try {
            return value instanceof Number ? ((Number) value).doubleValue() : Double.valueOf(String.valueOf(value));
        } catch (NumberFormatException error) {
            throw new EdgeException.Policy("policy: " + key + ": expected a number, got " + value);
        }
    }

    private static void atLeast(String key, Double value, double least) {
        if (value != null && !(value >= least)) {
            throw new EdgeException.Policy("policy: " + key + ": expected " + least + " or more, got " + value);
        }
    }
}
