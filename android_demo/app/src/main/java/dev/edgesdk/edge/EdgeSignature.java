package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/**
 * Another signature of an open model: the same weights, and the same variables. Made by {@link EdgeSession#signature}, run on
 * the session's thread and closed with it. State is set back before each run, of every signature, unless the session was
 * opened with {@code keepState(true)}.
 */
public final class EdgeSignature {
    private final EdgeSession session;
    final Ports ports;

    EdgeSignature(EdgeSession session, Ports ports) {
        this.session = session;
        this.ports = ports;
    }

    /** Its name in the file. */
    public String key() {
        return ports.model.key;
    }

    /** As {@link EdgeSession#inputs}. */
    public List<Port> inputs() {
        return ports.shown(ports.model.inputs);
    }

    /** As {@link EdgeSession#outputs}. */
    public List<Port> outputs() {
        return ports.shown(ports.model.outputs);
    }

    /** As {@link EdgeSession#run}. */
    public Map<String, EdgeArray> run(Map<String, EdgeArray> inputs) {
        session.checkRuns();
        return ports.run(inputs);
    }

    /** As {@link EdgeSession#rawInput}. */
    public ByteBuffer rawInput(String name) {
        session.checkRuns();
        return ports.rawInput(name);
    }

    /** As {@link EdgeSession#rawOutput}. */
    public ByteBuffer rawOutput(String name) {
        session.checkRuns();
        return ports.rawOutput(name);
    }

    /** As {@link EdgeSession#runRaw}. */
    public void runRaw() {
        session.checkRuns();
        ports.executor.invoke();
    }
}
