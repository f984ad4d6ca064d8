package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collection;
import java.util.Set;

/**
 * Copies of a .tflite file whose first subgraph has other inputs, outputs or ops, without signatures: its ports are named
 * {@code #<index of the tensor>}. What is new is put behind the file, for a FlatBuffer points forward only.
 */
final class Altered {
    private static final int INPUTS = 1, OUTPUTS = 2, OPERATORS = 3, SUBGRAPHS = 2, SIGNATURES = 7;

    private Altered() { }

    /** The name of a tensor's port. */
    static String name(int tensor) {
        return "#" + tensor;
    }

    /**
     * A copy of a model's file.
     *
     * @param kept places of the ops that stay; null for all
     * @throws EdgeException.Model the file has no field for what is to be changed, or the copy has no memory
     */
    static Model of(Model model, Collection<Integer> inputs, Collection<Integer> outputs, Set<Integer> kept) {
        int size = (model.content.limit() + 3) / 4 * 4;
        long whole = size + 4L * (2 + inputs.size() + outputs.size());
        if (whole > Integer.MAX_VALUE) {
            throw new EdgeException.Model(model.name + ": has no room for a copy with more outputs", null);
        }
        ByteBuffer made = ByteBuffer.allocateDirect((int) whole).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer from = model.content.duplicate();
        from.rewind();
        made.put(from);
        FlatTable root = FlatTable.root(made), graph = root.item(SUBGRAPHS, 0);
        int end = append(made, graph, INPUTS, inputs, size);
        append(made, graph, OUTPUTS, outputs, end);
        if (kept != null) {
            keep(made, graph, kept);
        }
        if (root.has(SIGNATURES)) {
            made.putInt(root.vector(SIGNATURES), 0);
        }
        made.rewind();
        return TfliteReader.numbered(model.name, Hashes.sha256(made), made);
    }

    /** Points a field to a new vector at a place; returns where that ends. */
    private static int append(ByteBuffer made, FlatTable table, int slot, Collection<Integer> values, int place) {
        if (!table.has(slot)) {
            throw new EdgeException.Model("a subgraph without a field for its inputs or outputs cannot have others", null);
        }
        made.putInt(table.field(slot), place - table.field(slot));
        made.putInt(place, values.size());
        int at = place + 4;
        for (int value : values) {
            made.putInt(at, value);
            at += 4;
        }
        return at;
    }

    /** Ops that stay move to the front of their vector: each then points further. */
    private static void keep(ByteBuffer made, FlatTable graph, Set<Integer> kept) {
        int begin = graph.vector(OPERATORS) + 4, place = begin, count = graph.length(OPERATORS);
        for (int index = 0; index < count; index++) {
            if (kept.contains(index)) {
                int old = begin + 4 * index;
                made.putInt(place, old + made.getInt(old) - place);
                place += 4;
            }
        }
        made.putInt(begin - 4, kept.size());
    }
}
