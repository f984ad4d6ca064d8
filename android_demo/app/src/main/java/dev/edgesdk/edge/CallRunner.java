package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the calls of a plan in one open model, from the state that it was opened with to the last. */
final class CallRunner {
    final CallPlan plan;
    private final Executor executor;
    private final List<Ports> ports = new ArrayList<>();

    /** {@code executor} has the model open; {@code known} are its entries by key. */
    CallRunner(CallPlan plan, Executor executor, Map<String, Ports> known) {
        this.plan = plan;
        this.executor = executor;
        for (CallPlan.Call call : plan.calls) {
            ports.add(known.get(call.entry.key));
        }
    }

    /**
     * All calls in order.
     *
     * @param inputs real values, or a quantized input's own integers, for each of the plan's inputs
     * @param raw if not null, takes the outputs as they are stored
     * @throws EdgeException.Signature one is missing, or too many
     */
    Map<String, EdgeArray> run(Map<String, EdgeArray> inputs, Map<String, EdgeArray> raw) {
        Ports.checkNames(plan.inputs(), inputs);
        executor.reset();
        Map<String, EdgeArray> made = new LinkedHashMap<>();
        for (int place = 0; place < ports.size(); place++) {
            CallPlan.Call call = plan.calls.get(place);
            Ports one = ports.get(place);
            for (Map.Entry<String, EdgeArray> output : one.run(given(call, inputs, made)).entrySet()) {
                made.put(call.label + "/" + output.getKey(), output.getValue());
            }
            if (raw != null) {
                for (Map.Entry<String, EdgeArray> output : Trial.read(one.model, one.executor).entrySet()) {
                    raw.put(call.label + "/" + output.getKey(), output.getValue());
                }
            }
        }
        return made;
    }

    private static Map<String, EdgeArray> given(CallPlan.Call call, Map<String, EdgeArray> inputs,
            Map<String, EdgeArray> made) {
        Map<String, EdgeArray> given = new HashMap<>();
        for (Port port : call.entry.inputs) {
            String source = call.carried.get(port.name);
            given.put(port.name, source == null ? inputs.get(call.label + "/" + port.name)
                    : made.get(source + "/" + port.name));
        }
        return given;
    }
}
