package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Calls of signatures that belong together: their labels, and which outputs they hand on (FORMAT.md, sequences). */
final class CallPlan {
    /** One call. */
    static final class Call {
        /** The signature's key, with {@code @2} for its second call and so on. */
        final String label;
        final Model entry;
        /** Input to the label of the call whose output of the same name it gets. */
        final Map<String, String> carried = new LinkedHashMap<>();

        Call(String label, Model entry) {
            this.label = label;
            this.entry = entry;
        }
    }

    final List<Call> calls = new ArrayList<>();

    /**
     * Of these entries of one file, in order.
     *
     * @throws EdgeException.Signature there is none
     */
    CallPlan(List<Model> entries, boolean real) {
        if (entries.isEmpty()) {
            throw new EdgeException.Signature("a sequence holds one call at least", "name signatures, in order");
        }
        Map<String, Integer> counts = new HashMap<>();
        for (Model entry : entries) {
            int count = counts.containsKey(entry.key) ? counts.get(entry.key) + 1 : 1;
            counts.put(entry.key, count);
            Call call = new Call(count == 1 ? entry.key : entry.key + "@" + count, entry);
            for (Port input : entry.inputs) {
                String source = source(input, real);
                if (source != null) {
                    call.carried.put(input.name, source);
                }
            }
            calls.add(call);
        }
    }

    /** Those of a file by their keys; {@code real} where real values are handed on, else stored ones of equal scale. */
    static CallPlan of(Model model, List<String> keys, boolean real) {
        Map<String, Model> known = new HashMap<>();
        List<Model> entries = new ArrayList<>();
        for (String key : keys) {
            if (!known.containsKey(key)) {
                known.put(key, model.signature(key));
            }
            entries.add(known.get(key));
        }
        return new CallPlan(entries, real);
    }

    /** What the caller gives, named {@code LABEL/NAME}. */
    List<Port> inputs() {
        List<Port> made = new ArrayList<>();
        for (Call call : calls) {
            for (Port port : call.entry.inputs) {
                if (!call.carried.containsKey(port.name)) {
                    made.add(port.named(call.label + "/" + port.name));
                }
            }
        }
        return Collections.unmodifiableList(made);
    }

    /** All outputs of all calls, likewise. */
    List<Port> outputs() {
        List<Port> made = new ArrayList<>();
        for (Call call : calls) {
            for (Port port : call.entry.outputs) {
                made.add(port.named(call.label + "/" + port.name));
            }
        }
        return Collections.unmodifiableList(made);
    }

    /** The latest earlier call with an output of that name, shape and type. */
    private String source(Port input, boolean real) {
        for (int place = calls.size() - 1; place >= 0; place--) {
            for (Port output : calls.get(place).entry.outputs) {
                if (real ? output.real().equals(input.real()) : output.equals(input)) {
                    return calls.get(place).label;
                }
            }
        }
        return null;
    }
}
