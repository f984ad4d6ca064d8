package dev.edgesdk.edge;

import java.util.List;
import java.util.Map;

/**
 * Calls of signatures that belong together, such as prefill and then decode, as if they were one model. Made by {@link
 * EdgeSession#sequence}. Names are {@code LABEL/NAME}, where {@code decode@2} is the second call of {@code decode}; an input
 * is handed the latest earlier output whose name, shape and real type are its own.
 */
public final class EdgeSequence {
    private final EdgeSession session;
    private final CallRunner runner;

    EdgeSequence(EdgeSession session, CallRunner runner) {
        this.session = session;
        this.runner = runner;
    }

    /** What {@link #run} takes: of each call what no earlier one hands on. */
    public List<Port> inputs() {
        return session.shown(runner.plan.inputs());
    }

    /** What {@link #run} gives: all outputs of all calls. */
    public List<Port> outputs() {
        return session.shown(runner.plan.outputs());
    }

    /**
     * All calls in order, from the state that the model was opened with.
     *
     * @throws EdgeException.Signature an input is missing, misnamed, of another shape or type, or not finite
     * @throws EdgeException.Model the engine failed
     * @throws EdgeException.Target the state cannot be set back, as of variables on a delegate
     */
    public Map<String, EdgeArray> run(Map<String, EdgeArray> inputs) {
        session.checkRuns();
        return runner.run(inputs, null);
    }
}
