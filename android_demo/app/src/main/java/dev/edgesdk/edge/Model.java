package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.Collections;
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
    /** Ops of the main subgraph. */
    public final int ops;
    /** Whether a run leaves something behind for the next: variables, resources. */
    public final boolean isStateful;
    /** Whether it keeps values in resource variables, which TensorFlow Lite's Java API cannot set back. */
    public final boolean hasVariables;
    private final int[] inputPlaces;
    private final int[] outputPlaces;
    /** Whether any op computes in integers: kernels may then differ by a step wherever they round. */
    final boolean computesInIntegers;
    /** Of constants, each shared buffer once. */
    final long weightsBytes;
    /** Of values that are alive at once: a lower bound of any memory plan. */
    final long liveBytes;

    Model(String name, String sha256, ByteBuffer content, TfliteReader file) {
        this.name = name;
        this.sha256 = sha256;
        this.content = content;
        this.inputs = Collections.unmodifiableList(file.inputs);
        this.outputs = Collections.unmodifiableList(file.outputs);
        this.ops = file.ops;
        this.isStateful = file.isStateful;
        this.hasVariables = file.hasVariables;
        this.inputPlaces = file.inputPlaces;
        this.outputPlaces = file.outputPlaces;
        this.computesInIntegers = file.computesInIntegers;
        this.weightsBytes = file.weightsBytes;
        this.liveBytes = file.liveBytes;
    }

    /** The place of an input of the signature among the interpreter's inputs. */
    public int inputPlace(int place) {
        return inputPlaces[place];
    }

    /** The place of an output of the signature among the interpreter's outputs. */
    public int outputPlace(int place) {
        return outputPlaces[place];
    }
}
