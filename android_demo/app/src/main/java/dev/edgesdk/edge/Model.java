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
    /** Of the signature that it is entered by; empty where the file has none. */
    public final String key;
    /** Keys of all signatures. */
    public final List<String> signatures;
    /** Which subgraph the signature runs. */
    public final int subgraph;
    /** In the signature's order. */
    public final List<Port> inputs;
    /** In the signature's order. */
    public final List<Port> outputs;
    /** Ops of that subgraph. */
    public final int ops;
    /** Whether a run leaves something behind for the next: variables, resources. */
    public final boolean isStateful;
    /** Whether it keeps values in resource variables, which TensorFlow Lite's Java API cannot set back. */
    public final boolean hasVariables;
    /** What a run does with resource variables. */
    final Variables variables;
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
        this.key = file.key;
        this.signatures = Collections.unmodifiableList(file.keys);
        this.subgraph = file.subgraph;
        this.variables = file.variables;
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

    /**
     * The same file, entered by another signature.
     *
     * @throws EdgeException.Signature it has none of that name
     */
    public Model signature(String wanted) {
        return wanted.equals(key) && !signatures.isEmpty() ? this : TfliteReader.read(name, sha256, content, wanted);
    }

    /** The place of an input of the signature among its subgraph's inputs. */
    public int inputPlace(int place) {
        return inputPlaces[place];
    }

    /** The place of an output of the signature among its subgraph's outputs. */
    public int outputPlace(int place) {
        return outputPlaces[place];
    }
}
