package dev.edgesdk.edge;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Where outputs are cut off from what decides them: as {@code edge_sdk/runtime/decisions.py} has it, in its order. */
final class Cut {
    /** Ops whose output jumps where their input moves a little, by their codes. */
    private static final Map<Integer, String> DECIDES = new HashMap<>();
    private static final int CUSTOM = 32;
    private static final String DETECTION = "TFLite_Detection_PostProcess";

    static {
        int[] codes = {56, 79, 48, 120, 121, 61, 62, 58, 63, 71, 72, 109, 103, 8, 104, 116, 158, 90, 95};
        String[] names = {"ARG_MAX", "ARG_MIN", "TOPK_V2", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "GREATER",
            "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "WHERE", "UNIQUE", "FLOOR", "CEIL", "ROUND", "SIGN",
            "FLOOR_DIV", "FLOOR_MOD"};
        for (int place = 0; place < codes.length; place++) {
            DECIDES.put(codes[place], names[place]);
        }
    }

    /** A decision: its name, and its tensors. */
    static final class Op {
        final String name;
        final int[] inputs;
        final int[] outputs;

        Op(String name, FlatTable op) {
            this.name = name;
            this.inputs = op.ints(1);
            this.outputs = op.ints(2);
        }

        /** Which output holds places of the first input; -1 where none does. */
        int ranks() {
            return name.startsWith("ARG_M") ? 0 : name.equals("TOPK_V2") ? 1 : -1;
        }
    }

    /** Tensors right before the first decisions, and those that reach the outputs past them. */
    final Set<Integer> values = new TreeSet<>();
    /** By their places. */
    final Map<Integer, Op> decisions = new TreeMap<>();

    private final FlatTable graph;
    /** Tensor to the op that makes it. */
    private final Map<Integer, Integer> makers = new HashMap<>();

    /** The first decisions on the way to these tensors of the first subgraph. */
    Cut(TfliteReader file, int[] wanted) {
        graph = file.graph(0);
        Set<Integer> later = new HashSet<>();
        Map<Integer, String> deciding = new HashMap<>();
        for (int index = 0; index < graph.length(3); index++) {
            FlatTable op = graph.item(3, index);
            String name = name(file, op);
            if (name != null) {
                deciding.put(index, name);
            }
            boolean depends = name != null || any(op.ints(1), later);
            for (int made : op.ints(2)) {
                makers.put(made, index);
                if (depends) {
                    later.add(made);
                }
            }
        }
        Deque<Integer> left = new ArrayDeque<>();
        for (int tensor : wanted) {
            left.push(tensor);
        }
        Set<Integer> seen = new HashSet<>();
        while (!left.isEmpty()) {
            int tensor = left.pop();
            if (makers.containsKey(tensor) && seen.add(tensor)) {
                look(tensor, later, deciding, left);
            }
        }
    }

    private void look(int tensor, Set<Integer> later, Map<Integer, String> deciding, Deque<Integer> left) {
        int place = makers.get(tensor);
        FlatTable op = graph.item(3, place);
        if (!later.contains(tensor)) {
            values.add(tensor);
        } else if (deciding.containsKey(place) && !any(op.ints(1), later)) {
            decisions.put(place, new Op(deciding.get(place), op));
            for (int input : op.ints(1)) {
                if (makers.containsKey(input)) {
                    values.add(input);
                }
            }
        } else {
            for (int input : op.ints(1)) {
                left.push(input);
            }
        }
    }

    private static boolean any(int[] tensors, Set<Integer> later) {
        for (int tensor : tensors) {
            if (later.contains(tensor)) {
                return true;
            }
        }
        return false;
    }

    private static String name(TfliteReader file, FlatTable op) {
        int code = file.code(op);
        return code == CUSTOM ? file.custom(op).equals(DETECTION) ? DETECTION : null : DECIDES.get(code);
    }

    /** Tensors that decisions make. */
    Set<Integer> decided() {
        Set<Integer> made = new TreeSet<>();
        for (Op op : decisions.values()) {
            for (int tensor : op.outputs) {
                if (tensor >= 0) {
                    made.add(tensor);
                }
            }
        }
        return made;
    }

    /**
     * What computes these tensors from the values of the cut, and from inputs of the model; null where nothing does.
     *
     * @param given gets its inputs
     */
    Model after(Model model, int[] wanted, Set<Integer> given) {
        Set<Integer> kept = new TreeSet<>(), into = new HashSet<>();
        for (int tensor : graph.ints(1)) {
            into.add(tensor);
        }
        Deque<Integer> left = new ArrayDeque<>();
        for (int tensor : wanted) {
            left.push(tensor);
        }
        while (!left.isEmpty()) {
            int tensor = left.pop();
            Integer place = makers.get(tensor);
            if (values.contains(tensor)) {
                given.add(tensor);
            } else if (place != null && kept.add(place)) {
                for (int input : graph.item(3, place).ints(1)) {
                    left.push(input);
                }
            } else if (place == null && into.contains(tensor)) {
                given.add(tensor);
            }
        }
        Set<Integer> outputs = new TreeSet<>();
        for (int tensor : wanted) {
            outputs.add(tensor);
        }
        outputs.removeAll(given);
        return kept.isEmpty() || values.isEmpty() ? null : Altered.of(model, given, outputs, kept);
    }

    /** The model with these tensors and what is looked at among its outputs. */
    Model wider(Model model, int[] wanted) {
        Set<Integer> outputs = new LinkedHashSet<>();
        for (int tensor : wanted) {
            outputs.add(tensor);
        }
        outputs.addAll(values);
        outputs.addAll(decided());
        Set<Integer> inputs = new LinkedHashSet<>();
        for (int tensor : graph.ints(1)) {
            inputs.add(tensor);
        }
        return Altered.of(model, inputs, outputs, null);
    }

    /** {@code ARG_MAX (op 3)}, with how far apart its values were where that is known. */
    String words(Map<Integer, Margin> margins) {
        String[] made = new String[decisions.size()];
        int count = 0;
        for (Map.Entry<Integer, Op> one : decisions.entrySet()) {
            Margin margin = margins.get(one.getKey());
            made[count++] = one.getValue().name + " (op " + one.getKey()
                    + (margin == null ? ")" : ", values at most " + margin + " apart)");
        }
        return Arrays.toString(made).replaceAll("^\\[|\\]$", "");
    }
}
