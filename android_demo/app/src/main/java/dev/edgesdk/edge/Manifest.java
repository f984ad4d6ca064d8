package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What a bundle says of itself, read strictly: the keys and types of {@code edge_sdk/bundle/manifest.py}. */
final class Manifest {
    static final String FILE = "manifest.json", HASH = "manifest.sha256", SIGNATURES = "manifest.sig";
    static final List<String> RESERVED = Collections.unmodifiableList(Arrays.asList(FILE, HASH, SIGNATURES));
    private static final int VERSION = 3, MAX_BYTES = 16 << 20;
    private static final String[] PRECISIONS = {"float32", "float16", "hybrid_int8", "int8", "int16", "integer"};
    private static final String[] KEYS = {"format", "format_version", "name", "created_by", "members", "variants",
        "labels", "raw_processing", "provenance"};

    /** What a member's bytes must be. */
    static final class Record {
        final String name;
        final long size;
        final String sha256;
        final long crc32;

        Record(Object value) {
            Table table = new Table(value, "members", "name", "size_bytes", "sha256", "crc32");
            name = table.text("name");
            size = table.whole("size_bytes");
            sha256 = table.text("sha256");
            crc32 = table.whole("crc32");
        }
    }

    /** What rules predict that one delegate of a profile takes. */
    static final class Delegate {
        final String rules;
        final String accelerator;
        final String verdict;
        final double macShare;
        final int partitions;

        Delegate(Object value, String where) {
            Table table = new Table(value, where, "rules", "accelerator", "verdict", "mac_share", "partitions", "source");
            rules = table.text("rules");
            accelerator = table.text("accelerator");
            verdict = table.text("verdict");
            macShare = table.number("mac_share");
            partitions = table.small("partitions");
            table.text("source");
        }
    }

    /** How far an output may be from its golden value in one arithmetic. */
    static final class Limit {
        final String arithmetic;
        final boolean isSqnr;
        final double value;
        final String derivation;

        Limit(String arithmetic, boolean isSqnr, double value, String derivation) {
            this.arithmetic = arithmetic;
            this.isSqnr = isSqnr;
            this.value = value;
            this.derivation = derivation;
        }

        static Limit read(Object value, String where) {
            Table table = new Table(value, where, "arithmetic", "kind", "value", "derivation");
            return new Limit(table.oneOf("arithmetic", "float32", "float16", "integer"),
                    table.oneOf("kind", "max_abs_error", "sqnr_db").equals("sqnr_db"), table.number("value"),
                    table.text("derivation"));
        }
    }

    final String name;
    final List<Record> members = new ArrayList<>();
    final Map<String, Record> records = new LinkedHashMap<>();
    final List<Variant> variants = new ArrayList<>();
    final Map<String, String> labels;
    final Object rawProcessing;
    private final Set<String> used = new HashSet<>();

    /**
     * Reads and checks it.
     *
     * @throws EdgeException.BundleVersion its format is newer
     * @throws EdgeException.BundleFormat a key unknown or missing, a type, or a reference that points nowhere
     */
    Manifest(ByteBuffer data) {
        if (data.remaining() > MAX_BYTES) {
            throw Table.fault("", "has " + data.remaining() + " bytes, at most " + MAX_BYTES + " are allowed");
        }
        Object loaded;
        try {
            loaded = StrictJson.load(data);
        } catch (StrictJson.Malformed error) {
            throw Table.fault("", error.getMessage());
        }
        checkVersion(loaded);
        Table table = new Table(loaded, "", KEYS);
        name = table.text("name");
        table.text("created_by");
        for (Object one : table.list("members")) {
            members.add(new Record(one));
        }
        for (Object one : table.list("variants")) {
            variants.add(new Variant(one, "variants[" + variants.size() + "]", table.whole("format_version"), PRECISIONS));
        }
        labels = table.named("labels");
        rawProcessing = table.raw("raw_processing");
        readProvenance(table.raw("provenance"));
        check();
    }

    /**
     * The variant of that id.
     *
     * @throws EdgeException.Bundle there is none
     */
    Variant variant(String id) {
        StringBuilder ids = new StringBuilder();
        for (Variant variant : variants) {
            if (variant.id.equals(id)) {
                return variant;
            }
            ids.append(ids.length() == 0 ? "" : ", ").append(variant.id);
        }
        throw new EdgeException.Bundle(name + " has no variant `" + id + "`", "it has " + ids);
    }

    private static void checkVersion(Object loaded) {
        Map<?, ?> table = loaded instanceof Map ? (Map<?, ?>) loaded : Collections.emptyMap();
        if (!"edge-bundle".equals(table.get("format"))) {
            throw Table.fault("", "expected `format` to be `edge-bundle`");
        }
        Object version = table.get("format_version");
        if (!(version instanceof Long || version instanceof java.math.BigInteger)
                || ((Number) version).doubleValue() < 1) {
            throw Table.fault("", "expected `format_version` to be a whole number from 1, got " + version);
        }
        if (((Number) version).doubleValue() > VERSION) {
            throw new EdgeException.BundleVersion("format version " + version + " (made by "
                    + Table.cut(String.valueOf(table.get("created_by"))) + "), this app reads up to " + VERSION,
                    "upgrade the app, or make the bundle again with its version of edge-sdk");
        }
    }

    private static void readProvenance(Object value) {
        Table table = new Table(value, "provenance", "source", "source_sha256", "framework", "tools", "golden_engine",
                "golden_data");
        table.textOrNull("source");
        table.textOrNull("source_sha256");
        table.textOrNull("framework");
        table.texts("tools");
        table.textOrNull("golden_engine");
        table.textOrNull("golden_data");
    }

    /** What types alone cannot say. */
    private void check() {
        for (Record record : members) {
            checkRecord(record);
        }
        Set<String> ids = new HashSet<>();
        for (Variant variant : variants) {
            if (!ids.add(variant.id)) {
                throw Table.fault("variants", "a name is there twice");
            }
            checkVariant(variant);
        }
        if (variants.isEmpty()) {
            throw Table.fault("", "holds no variant");
        }
        for (Map.Entry<String, String> label : labels.entrySet()) {
            use(label.getValue(), "labels of `" + label.getKey() + "`");
        }
        for (String member : records.keySet()) {
            if (!used.contains(member)) {
                throw Table.fault("", "member `" + member + "` belongs to nothing");
            }
        }
    }

    private void checkRecord(Record record) {
        String where = "member `" + Table.cut(record.name) + "`";
        if (records.put(record.name, record) != null) {
            throw Table.fault("members", "a name is there twice");
        }
        Archive.checkName(record.name);
        if (RESERVED.contains(record.name)) {
            throw Table.fault(where, "lists itself");
        }
        if (!record.sha256.matches("[0-9a-f]{64}")) {
            throw Table.fault(where, "`" + Table.cut(record.sha256) + "` is no SHA-256");
        }
        if (record.size < 0 || record.size >>> 32 != 0 || record.crc32 < 0 || record.crc32 >>> 32 != 0) {
            throw Table.fault(where, "size or checksum is beyond 32 bits");
        }
    }

    private void checkVariant(Variant variant) {
        String where = "variant `" + Table.cut(variant.id) + "`";
        Archive.checkName(variant.id);
        Record model = use(variant.model, where);
        if (!variant.model.endsWith(".tflite")) {
            throw Table.fault(where, "`" + variant.model + "` does not end in .tflite, so it is not aligned as a model");
        }
        if (!model.sha256.equals(variant.sha256) || model.size != variant.sizeBytes) {
            throw Table.fault(where, "hash or size is another than that of its member");
        }
        if (variant.report != null) {
            use(variant.report, where);
        }
        Set<String> inputs = checkPorts(variant.inputs, where), outputs = checkPorts(variant.outputs, where);
        checkGolden(variant.golden, inputs, outputs, variant.tolerance.keySet(), where);
        for (Variant.Sequence one : variant.sequences) {
            if (one.calls.isEmpty() || one.golden.isEmpty()) {
                throw Table.fault(where, "a sequence without calls or runs");
            }
            checkGolden(one.golden, checkPorts(one.inputs, where), checkPorts(one.outputs, where),
                    one.tolerance.keySet(), where);
        }
        if (variant.compiled != null) {
            checkCompiled(variant.compiled, where);
        }
    }

    /** The variant that a compiler was given is one of the others, and no compiler is given what was compiled. */
    private void checkCompiled(Variant.Compiled compiled, String where) {
        boolean isKnown = false;
        for (Variant variant : variants) {
            isKnown |= variant.compiled == null && variant.id.equals(compiled.madeFrom);
        }
        if (!isKnown) {
            throw Table.fault(where, "was compiled from `" + Table.cut(compiled.madeFrom)
                    + "`, which is no variant as converted");
        }
        if (compiled.chips.isEmpty()) {
            throw Table.fault(where, "was compiled, and names no chip");
        }
        if (compiled.opsOnNpu < 1 || compiled.opsOnNpu > compiled.ops) {
            throw Table.fault(where, "was compiled, with " + compiled.opsOnNpu + " of " + compiled.ops
                    + " ops on the NPU");
        }
    }

    private void checkGolden(List<Variant.Golden> runs, Set<String> inputs, Set<String> outputs, Set<String> tolerance,
            String where) {
        for (Variant.Golden golden : runs) {
            if (!golden.inputs.keySet().equals(inputs) || !golden.outputs.keySet().equals(outputs)) {
                throw Table.fault(where, "its golden arrays are not those of its signature");
            }
            for (String member : golden.inputs.values()) {
                use(member, where);
            }
            for (String member : golden.outputs.values()) {
                use(member, where);
            }
        }
        if (!tolerance.equals(runs.isEmpty() ? Collections.<String>emptySet() : outputs)) {
            throw Table.fault(where, "its tolerances are not those of its golden outputs");
        }
    }

    private static Set<String> checkPorts(List<Port> ports, String where) {
        Set<String> names = new HashSet<>();
        for (Port port : ports) {
            if (!names.add(port.name)) {
                throw Table.fault(where + ", ports", "a name is there twice");
            }
            for (int extent : port.shape()) {
                if (extent < 0) {
                    throw Table.fault(where, "`" + port.name + "` has the shape " + Arrays.toString(port.shape()));
                }
            }
            if ((port.scale == null) != (port.zeroPoint == null) || port.scale != null && port.scale <= 0) {
                throw Table.fault(where, "`" + port.name + "` has scale " + port.scale + " and zero point "
                        + port.zeroPoint);
            }
        }
        return names;
    }

    private Record use(String member, String where) {
        used.add(member);
        Record found = records.get(member);
        if (found == null) {
            throw Table.fault(where, "member `" + Table.cut(member) + "` does not exist");
        }
        return found;
    }
}
