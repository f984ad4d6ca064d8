package dev.edgesdk.edge;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** What one run of a subgraph does with resource variables, by name: as {@code edge_sdk/artifact/variables.py} has it. */
final class Variables {
    private static final int VAR_HANDLE = 142, READ_VARIABLE = 143, ASSIGN_VARIABLE = 144, CALL_ONCE = 129, IF = 118,
            WHILE = 119;
    private static final int DEEPEST = 16, OFTEN = 64, AT_LEAST = 10000;

    /** Read before the run has assigned them: something else must have. */
    final Set<String> needs = new HashSet<>();
    /** Assigned when the run is over, whatever branch it took. */
    final Set<String> gives = new HashSet<>();
    /** Assigned by what CALL_ONCE runs, the first time. */
    final Set<String> initial = new HashSet<>();

    private Variables() { }

    /** Of one subgraph; {@code file} tells codes of ops and other subgraphs. */
    static Variables of(TfliteReader file, FlatTable graph) {
        return new Walk(file).graph(graph, new HashMap<Integer, String>(), 0);
    }

    /** Through subgraphs that call others. */
    private static final class Walk {
        private final TfliteReader file;
        private long left = AT_LEAST;

        Walk(TfliteReader file) {
            this.file = file;
            for (int index = 0; index < file.graphs(); index++) {
                left += (long) OFTEN * file.graph(index).length(3);
            }
        }

        Variables graph(FlatTable graph, Map<Integer, String> handles, int depth) {
            Map<Integer, String> known = new HashMap<>(handles);
            Variables made = new Variables();
            left -= graph.length(3);
            if (left < 0) {
                throw new EdgeException.Model("its subgraphs call each other more often than variables can be followed", null);
            }
            for (int index = 0; index < graph.length(3); index++) {
                Variables done = op(graph.item(3, index), known, depth);
                Set<String> open = new HashSet<>(done.needs);
                open.removeAll(made.gives);
                made.needs.addAll(open);
                made.gives.addAll(done.gives);
                made.initial.addAll(done.initial);
            }
            return made;
        }

        private Variables op(FlatTable op, Map<Integer, String> handles, int depth) {
            Variables made = new Variables();
            int[] inputs = op.ints(1), outputs = op.ints(2);
            FlatTable options = op.table(4);
            int code = file.code(op);
            String name = inputs.length > 0 ? handles.get(inputs[0]) : null;
            if (code == VAR_HANDLE && outputs.length > 0) {
                handles.put(outputs[0], options == null ? "" : name(options));
            } else if (code == READ_VARIABLE && name != null) {
                made.needs.add(name);
            } else if (code == ASSIGN_VARIABLE && name != null) {
                made.gives.add(name);
            } else if (options != null && depth < DEEPEST) {
                return call(code, inputs, options, handles, depth);
            }
            return made;
        }

        private static String name(FlatTable options) {
            return options.text(0).isEmpty() ? options.text(1) : options.text(0) + "/" + options.text(1);
        }

        private Variables call(int code, int[] inputs, FlatTable options, Map<Integer, String> handles, int depth) {
            Variables made = new Variables();
            if (code == CALL_ONCE) {
                Variables done = called(options, 0, new int[0], handles, depth);
                made.needs.addAll(done.needs);
                made.gives.addAll(done.gives);
                made.initial.addAll(done.gives);
                made.initial.addAll(done.initial);
            } else if (code == IF || code == WHILE) {
                // WHILE may never run its body, and IF runs one branch: what both give is given.
                int[] passed = code == WHILE ? inputs : java.util.Arrays.copyOfRange(inputs, Math.min(1, inputs.length),
                        inputs.length);
                Variables one = called(options, 0, passed, handles, depth);
                Variables other = called(options, 1, passed, handles, depth);
                made.needs.addAll(other.needs);
                if (code == WHILE) {
                    made.needs.removeAll(one.gives);
                }
                made.needs.addAll(one.needs);
                made.gives.addAll(one.gives);
                if (code == IF) {
                    made.gives.retainAll(other.gives);
                }
                made.initial.addAll(one.initial);
                made.initial.addAll(other.initial);
            }
            return made;
        }

        private Variables called(FlatTable options, int slot, int[] passed, Map<Integer, String> handles, int depth) {
            int index = options.int32(slot);
            if (index < 0 || index >= file.graphs()) {
                return new Variables();
            }
            FlatTable graph = file.graph(index);
            int[] own = graph.ints(1);
            Map<Integer, String> inner = new HashMap<>();
            for (int place = 0; place < Math.min(own.length, passed.length); place++) {
                if (handles.containsKey(passed[place])) {
                    inner.put(own[place], handles.get(passed[place]));
                }
            }
            return graph(graph, inner, depth + 1);
        }
    }
}
