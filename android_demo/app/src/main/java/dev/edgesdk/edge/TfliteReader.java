package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a session must know of a .tflite file and the engine's Java API does not tell: the signature's names and shapes
 * before it is loaded, ops, state, and whether it computes in integers. Slots are those of TFLite's schema.
 */
final class TfliteReader {
    private static final int VAR_HANDLE = 142;
    private static final int IDENTIFIER = 0x334C4654;
    private static final String[] TYPES = {"float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16",
        "complex64", "int8", "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4",
        "bfloat16", "int2", "uint4", "float8_e4m3fn", "float8_e5m2"};
    /** QUANTIZE, DEQUANTIZE, CAST; WHILE, IF, CALL, CALL_ONCE, and those of variables: they compute nothing. */
    private static final List<Integer> NO_ARITHMETIC = Arrays.asList(114, 6, 53, 119, 118, 31, 129, 142, 143, 144);
    private static final List<String> BOOKKEEPING = Arrays.asList("int32", "int64", "uint32", "uint64", "bool");
    private static final List<String> FLOATS = Arrays.asList("float32", "float16", "float64", "bfloat16");
    private static final List<String> STORED_INTEGERS = Arrays.asList("int8", "uint8", "int4", "int2");

    final List<String> keys = new ArrayList<>();
    String key = "";
    int subgraph;
    final List<Port> inputs = new ArrayList<>();
    final List<Port> outputs = new ArrayList<>();
    int[] inputPlaces;
    int[] outputPlaces;
    int ops;
    boolean isStateful;
    boolean hasVariables;
    Variables variables;
    boolean computesInIntegers;
    long weightsBytes;
    long liveBytes;

    private final FlatTable root;
    /** Whether ports without a signature are called by their tensors' numbers. */
    private final boolean numbered;

    private TfliteReader(String name, ByteBuffer data, String wanted, boolean numbered) {
        this.numbered = numbered;
        root = FlatTable.root(data);
        for (int index = 0; index < root.length(7); index++) {
            keys.add(root.item(7, index).text(2));
        }
        readSignature(name, wanted);
        ops = graph(subgraph).length(3);
        variables = Variables.of(this, graph(subgraph));
        Map<Integer, Long> constants = new HashMap<>();
        for (int index = 0; index < root.length(2); index++) {
            readGraph(root.item(2, index), constants);
        }
        for (long size : constants.values()) {
            weightsBytes += size;
        }
    }

    /** Reads a file, entered by its default signature; as below. */
    static Model read(String name, String sha256, ByteBuffer content) {
        return read(name, sha256, content, null);
    }

    /**
     * Reads a file, entered by a signature; null for the default one.
     *
     * @throws EdgeException.Model truncated, not a TFLite file, or its indices point nowhere
     * @throws EdgeException.Signature it has no such signature
     */
    static Model read(String name, String sha256, ByteBuffer content, String wanted) {
        return read(name, sha256, content, wanted, false);
    }

    /** Reads a file without signatures whose ports are called {@code #<tensor>}: tensors may share a name. */
    static Model numbered(String name, String sha256, ByteBuffer content) {
        return read(name, sha256, content, null, true);
    }

    /** What a model that was read does not tell. */
    static TfliteReader of(Model model) {
        ByteBuffer data = model.content.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        data.rewind();
        return new TfliteReader(model.name, data, model.signatures.isEmpty() ? null : model.key, false);
    }

    private static Model read(String name, String sha256, ByteBuffer content, String wanted, boolean numbered) {
        ByteBuffer data = content.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        data.rewind();
        try {
            if (data.getInt(4) == IDENTIFIER) {
                ByteBuffer native_ = content.duplicate().order(ByteOrder.nativeOrder());
                native_.rewind();
                return new Model(name, sha256, native_, new TfliteReader(name, data, wanted, numbered));
            }
        } catch (IndexOutOfBoundsException error) {
            throw damaged(name, data, "its indices point nowhere");
        }
        throw damaged(name, data, "`TFL3` is not at byte 4");
    }

    private static EdgeException.Model damaged(String name, ByteBuffer data, String why) {
        return new EdgeException.Model(name + ": not a whole TFLite file (" + data.limit() + " bytes): " + why,
                "check that the download or copy finished");
    }

    /** Names of the signature, else of the tensors themselves. */
    private void readSignature(String name, String wanted) {
        FlatTable signature = signature(name, wanted);
        subgraph = signature == null ? 0 : signature.int32(4);
        FlatTable main = graph(subgraph);
        int[] into = main.ints(1), outof = main.ints(2);
        if (signature == null) {
            inputPlaces = implicit(main, into, inputs);
            outputPlaces = implicit(main, outof, outputs);
            return;
        }
        key = signature.text(2);
        inputPlaces = declared(main, signature, 0, into, inputs);
        outputPlaces = declared(main, signature, 1, outof, outputs);
    }

    /** The one that is asked for, else {@code serving_default}, else the first; null where the file has none. */
    private FlatTable signature(String name, String wanted) {
        int place = keys.indexOf(wanted == null ? "serving_default" : wanted);
        if (place < 0 && wanted != null) {
            throw new EdgeException.Signature(name + ": signature `" + Table.cut(wanted) + "` does not exist",
                    keys.isEmpty() ? "the file has none" : "the signatures are: " + keys);
        }
        return keys.isEmpty() ? null : root.item(7, Math.max(0, place));
    }

    int graphs() {
        return root.length(2);
    }

    FlatTable graph(int index) {
        if (index < 0) {
            throw new IndexOutOfBoundsException("subgraph " + index);
        }
        return root.item(2, index);
    }

    private int[] implicit(FlatTable main, int[] tensors, List<Port> made) {
        int[] places = new int[tensors.length];
        for (int place = 0; place < tensors.length; place++) {
            FlatTable tensor = tensor(main, tensors[place]);
            String called = tensor.text(3).isEmpty() ? "tensor_" + tensors[place] : tensor.text(3);
            made.add(port(numbered ? Altered.name(tensors[place]) : called, tensor));
            places[place] = place;
        }
        return places;
    }

    private static int[] declared(FlatTable main, FlatTable signature, int slot, int[] tensors, List<Port> made) {
        int[] places = new int[signature.length(slot)];
        for (int index = 0; index < places.length; index++) {
            FlatTable map = signature.item(slot, index);
            made.add(port(map.text(0), tensor(main, map.int32(1))));
            places[index] = placeOf(map.int32(1), tensors);
        }
        return places;
    }

    private static int placeOf(int tensor, int[] tensors) {
        for (int place = 0; place < tensors.length; place++) {
            if (tensors[place] == tensor) {
                return place;
            }
        }
        throw new IndexOutOfBoundsException("tensor " + tensor);
    }

    private static FlatTable tensor(FlatTable graph, int index) {
        if (index < 0 || index >= graph.length(0)) {
            throw new IndexOutOfBoundsException("tensor " + index);
        }
        return graph.item(0, index);
    }

    private static Port port(String name, FlatTable tensor) {
        FlatTable quantization = tensor.table(4);
        boolean scaled = quantization != null && quantization.length(2) > 0;
        Double scale = scaled ? (double) quantization.floatItem(2, 0) : null;
        Integer zero = !scaled ? null : quantization.length(3) == 0 ? 0 : (Integer) (int) quantization.longItem(3, 0);
        for (int extent : tensor.ints(0)) {
            if (extent < 0) {
                throw new IndexOutOfBoundsException("extent " + extent);
            }
        }
        return new Port(name, type(tensor), tensor.ints(0), scale, zero);
    }

    private static String type(FlatTable tensor) {
        int code = tensor.int8(1);
        if (code < 0 || code >= TYPES.length) {
            throw new IndexOutOfBoundsException("type " + code);
        }
        return TYPES[code];
    }

    private void readGraph(FlatTable graph, Map<Integer, Long> constants) {
        long[] sizes = new long[graph.length(0)];
        for (int index = 0; index < graph.length(0); index++) {
            FlatTable tensor = graph.item(0, index);
            isStateful |= tensor.int8(5) != 0 || type(tensor).equals("resource");
            long stored = stored(tensor);
            if (stored > 0) {
                constants.put(tensor.int32(2), stored);
            } else {
                sizes[index] = port("", tensor).sizeBytes();
            }
        }
        for (int index = 0; index < graph.length(3); index++) {
            computesInIntegers |= computesInIntegers(graph, graph.item(3, index));
            hasVariables |= code(graph.item(3, index)) == VAR_HANDLE;
        }
        // Each graph has memory of its own; those that another runs need theirs beside it, but not all are run.
        liveBytes = Math.max(liveBytes, live(graph, sizes));
    }

    private long live(FlatTable graph, long[] sizes) {
        int steps = graph.length(3);
        LiveBytes made = new LiveBytes(sizes, steps, graph.ints(1), graph.ints(2));
        for (int step = 0; step < steps; step++) {
            made.reads(checked(graph, graph.item(3, step).ints(1)));
        }
        for (int step = 0; step < steps; step++) {
            FlatTable op = graph.item(3, step);
            made.op(step, code(op), checked(graph, op.ints(1)), checked(graph, op.ints(2)));
        }
        return made.peak();
    }

    /** Absent operands and results are -1. */
    private static int[] checked(FlatTable graph, int[] tensors) {
        for (int index : tensors) {
            if (index < -1 || index >= graph.length(0)) {
                throw new IndexOutOfBoundsException("tensor " + index);
            }
        }
        return tensors;
    }

    /** Bytes of a constant, in the FlatBuffer or behind it; 0 of what is computed. */
    private long stored(FlatTable tensor) {
        int index = tensor.int32(2);
        if (index < 0 || index >= root.length(4)) {
            throw new IndexOutOfBoundsException("buffer " + index);
        }
        FlatTable buffer = root.item(4, index);
        return buffer.length(0) > 0 ? buffer.length(0) : buffer.int64(1) > 1 ? buffer.int64(2) : 0;
    }

    /** As {@code edge_sdk/artifact/compute.py} has it, without what only moves values. */
    private boolean computesInIntegers(FlatTable graph, FlatTable op) {
        if (NO_ARITHMETIC.contains(code(op))) {
            return false;
        }
        String dtype = mainType(graph, op);
        return Arrays.asList("int8", "uint8", "int16").contains(dtype)
                || FLOATS.contains(dtype) && hasStoredIntegers(graph, op);
    }

    /** The name of a custom op. */
    String custom(FlatTable op) {
        return root.item(1, op.int32(0)).text(1);
    }

    /** The first whole number of a constant of the first subgraph; null where it is computed. */
    Integer constant(int tensor) {
        FlatTable stored = tensor(graph(0), tensor);
        FlatTable buffer = root.item(4, stored.int32(2));
        return buffer.length(0) < 4 ? null : (Integer) buffer.firstInt(0);
    }

    /** Of the schema. */
    int code(FlatTable op) {
        int index = op.int32(0);
        if (index < 0 || index >= root.length(1)) {
            throw new IndexOutOfBoundsException("operator code " + index);
        }
        FlatTable code = root.item(1, index);
        return Math.max(code.int8(0), code.int32(3));
    }

    /** Of the result; of the first computed operand where the result is an index or a truth value. */
    private String mainType(FlatTable graph, FlatTable op) {
        String result = "";
        for (int index : op.ints(2)) {
            if (index >= 0) {
                result = type(tensor(graph, index));
                break;
            }
        }
        if (!result.isEmpty() && !BOOKKEEPING.contains(result)) {
            return result;
        }
        for (int index : op.ints(1)) {
            if (index >= 0 && stored(tensor(graph, index)) == 0) {
                return type(tensor(graph, index));
            }
        }
        return result;
    }

    private boolean hasStoredIntegers(FlatTable graph, FlatTable op) {
        for (int index : op.ints(1)) {
            if (index >= 0) {
                FlatTable tensor = tensor(graph, index);
                FlatTable quantization = tensor.table(4);
                if (stored(tensor) > 0 && STORED_INTEGERS.contains(type(tensor)) && quantization != null
                        && quantization.length(2) > 0) {
                    return true;
                }
            }
        }
        return false;
    }
}
