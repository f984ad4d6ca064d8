package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One form of the model in a bundle. */
final class Variant {
    private static final String[] KEYS = {"id", "model", "recipe", "precision", "sha256", "size_bytes",
        "made_from_sha256", "minimum_runtime", "macs", "signature", "predicted_memory", "checked", "golden", "tolerance",
        "report"};
    private static final String[] KEYS_2 = and(KEYS, "sequences"), KEYS_3 = and(KEYS_2, "compiled");

    /** Members with one run's values, by input and output. */
    static final class Golden {
        final Map<String, String> inputs;
        final Map<String, String> outputs;

        Golden(Object value, String where) {
            Table table = new Table(value, where, "inputs", "outputs");
            inputs = table.named("inputs");
            outputs = table.named("outputs");
        }
    }

    /** Golden runs of several signatures in a row. */
    static final class Sequence {
        final List<String> calls;
        final List<Port> inputs;
        final List<Port> outputs;
        final List<Golden> golden = new ArrayList<>();
        final Map<String, List<Manifest.Limit>> tolerance;

        Sequence(Object value, String where) {
            Table table = new Table(value, where, "calls", "inputs", "outputs", "golden", "tolerance");
            calls = table.texts("calls");
            inputs = ports(table, "inputs");
            outputs = ports(table, "outputs");
            for (Object one : table.list("golden")) {
                golden.add(new Golden(one, table.path("golden")));
            }
            tolerance = tolerance(table);
        }
    }

    /** For which chip a vendor's compiler made it; no delegate here loads such a file. */
    static final class Compiled {
        final String target;
        final List<String> chips;
        final String madeFrom;
        final long ops;
        final long opsOnNpu;

        Compiled(Object value, String where) {
            Table table = new Table(value, where, "compiler", "tool", "target", "chips", "delegate", "made_from",
                    "profiles", "ops", "ops_on_npu", "partitions", "simulated_ms", "low_ms", "high_ms");
            table.text("compiler");
            table.text("tool");
            target = table.text("target");
            chips = table.texts("chips");
            table.oneOf("delegate", "npu", "external");
            madeFrom = table.text("made_from");
            table.texts("profiles");
            ops = table.whole("ops");
            opsOnNpu = table.whole("ops_on_npu");
            if (table.raw("partitions") != null && table.whole("partitions") < 1) {
                throw Table.fault(table.path("partitions"), "expected 1 or more");
            }
            for (String key : new String[] {"simulated_ms", "low_ms", "high_ms"}) {
                if (table.raw(key) != null) {
                    table.number(key);
                }
            }
        }
    }

    final String id;
    final String model;
    final String precision;
    final String sha256;
    final long sizeBytes;
    final long plannedBytes;
    final List<Port> inputs;
    final List<Port> outputs;
    final Map<String, List<Manifest.Delegate>> checked = new LinkedHashMap<>();
    final List<Golden> golden = new ArrayList<>();
    final Map<String, List<Manifest.Limit>> tolerance;
    final List<Sequence> sequences = new ArrayList<>();
    final String report;
    /** Null of a file that any engine opens. */
    final Compiled compiled;

    Variant(Object value, String where, long version, String... precisions) {
        Table table = new Table(value, where, version < 2 ? KEYS : version < 3 ? KEYS_2 : KEYS_3);
        id = table.text("id");
        model = table.text("model");
        table.textOrNull("recipe");
        precision = table.oneOf("precision", precisions);
        sha256 = table.text("sha256");
        sizeBytes = table.whole("size_bytes");
        table.text("made_from_sha256");
        table.textOrNull("minimum_runtime");
        table.whole("macs");
        Table signature = new Table(table.raw("signature"), table.path("signature"), "key", "inputs", "outputs");
        signature.text("key");
        inputs = ports(signature, "inputs");
        outputs = ports(signature, "outputs");
        plannedBytes = memory(table.raw("predicted_memory"), table.path("predicted_memory"));
        for (Object one : table.list("checked")) {
            readChecked(one, table.path("checked"));
        }
        for (Object one : table.list("golden")) {
            golden.add(new Golden(one, table.path("golden")));
        }
        tolerance = tolerance(table);
        if (version >= 2) {
            for (Object one : table.list("sequences")) {
                sequences.add(new Sequence(one, table.path("sequences")));
            }
        }
        report = table.textOrNull("report");
        Object made = version < 3 ? null : table.raw("compiled");
        compiled = made == null ? null : new Compiled(made, table.path("compiled"));
    }

    private static String[] and(String[] keys, String more) {
        String[] all = java.util.Arrays.copyOf(keys, keys.length + 1);
        all[keys.length] = more;
        return all;
    }

    private static Map<String, List<Manifest.Limit>> tolerance(Table table) {
        Map<String, List<Manifest.Limit>> made = new LinkedHashMap<>();
        for (Map.Entry<?, ?> one : table.map("tolerance").entrySet()) {
            made.put((String) one.getKey(), limits(one.getValue(), table.path("tolerance")));
        }
        return made;
    }

    private static List<Port> ports(Table signature, String key) {
        List<Port> made = new ArrayList<>();
        for (Object one : signature.list(key)) {
            Table port = new Table(one, signature.path(key), "name", "dtype", "shape", "scale", "zero_point");
            made.add(new Port(port.text("name"), port.text("dtype"), port.extents("shape"),
                    port.raw("scale") == null ? null : (Double) port.number("scale"),
                    port.raw("zero_point") == null ? null : (Integer) port.small("zero_point")));
        }
        return made;
    }

    private static long memory(Object value, String where) {
        Table table = new Table(value, where, "arena_bytes", "persistent_bytes", "heap_bytes", "floor_bytes",
                "xnnpack_heap_bytes", "complete");
        table.whole("floor_bytes");
        table.flag("complete");
        table.checkWholes("xnnpack_heap_bytes");
        return table.whole("arena_bytes") + table.whole("persistent_bytes") + table.whole("heap_bytes");
    }

    private void readChecked(Object value, String where) {
        Table table = new Table(value, where, "profile", "fits", "budget_bytes", "delegates", "findings");
        table.flag("fits");
        table.whole("budget_bytes");
        table.texts("findings");
        List<Manifest.Delegate> delegates = new ArrayList<>();
        for (Object one : table.list("delegates")) {
            delegates.add(new Manifest.Delegate(one, table.path("delegates")));
        }
        if (!checked.containsKey(table.text("profile"))) {
            checked.put(table.text("profile"), delegates);
        }
    }

    private static List<Manifest.Limit> limits(Object value, String where) {
        List<Manifest.Limit> made = new ArrayList<>();
        for (Object one : Table.list(value, where)) {
            made.add(Manifest.Limit.read(one, where));
        }
        return made;
    }
}
