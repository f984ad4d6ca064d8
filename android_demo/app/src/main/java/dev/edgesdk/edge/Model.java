package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.List;

/** A verified model, and what an engine must know of it. */
public final class Model {
    /** For messages. */
    public final String name;
    /** Of the file, in hex. */
    public final String sha256;
    /** The file: direct, native order. */
    public final ByteBuffer content;
    /** In the signature's order. */
    public final List<Port> inputs;
    /** In the signature's order. */
    public final List<Port> outputs;

    Model(String name, String sha256, ByteBuffer content, List<Port> inputs, List<Port> outputs) {
        this.name = name;
        this.sha256 = sha256;
        this.content = content;
        this.inputs = inputs;
        this.outputs = outputs;
    }
}
