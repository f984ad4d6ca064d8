package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;

/** A bundle opened: its form, manifest and signature checked; every member's hash checked before a byte of it is used. */
public final class Bundle {
    private Bundle() { }

    /** One run of the self-test: raw inputs and expected raw outputs by name. */
    public static final class GoldenCase {
        /** By name. */
        public final Map<String, EdgeArray> inputs;
        /** By name. */
        public final Map<String, EdgeArray> outputs;

        GoldenCase(Map<String, EdgeArray> inputs, Map<String, EdgeArray> outputs) {
            this.inputs = inputs;
            this.outputs = outputs;
        }
    }

    /**
     * Opens a bundle.
     *
     * @param trustedKeys Ed25519 public keys, 32 bytes each or PEM; if there are any, one must have signed it
     * @throws EdgeException.Bundle in its four kinds
     */
    public static Bundle open(ModelSource source, List<byte[]> trustedKeys) {
        throw new UnsupportedOperationException("being written");
    }

    /** Whether these bytes begin as a bundle does. */
    public static boolean looksLikeOne(ModelSource source) {
        throw new UnsupportedOperationException("being written");
    }

    /** {@code verified} if a trusted key signed it, {@code signed, not checked} or {@code unsigned}. */
    public String trust() {
        throw new UnsupportedOperationException("being written");
    }

    /** Of the model. */
    public String name() {
        throw new UnsupportedOperationException("being written");
    }

    /** Ids of the variants. */
    public List<String> variants() {
        throw new UnsupportedOperationException("being written");
    }

    /** Golden cases of a variant; empty where the bundle holds none. */
    public List<GoldenCase> golden(String variant) {
        throw new UnsupportedOperationException("being written");
    }

    /** Names of an output's indices; empty where it has none. */
    public List<String> labels(String output) {
        throw new UnsupportedOperationException("being written");
    }

    /** The .tflite file of a variant, in place. */
    public ByteBuffer model(String variant) {
        throw new UnsupportedOperationException("being written");
    }

    /** Whether an input is made from a picture. */
    public boolean takesPicture(String input) {
        throw new UnsupportedOperationException("being written");
    }

    /**
     * Real values for an input, from a picture (uint8 [height, width, 3], RGB, upright) or from values, by the bundle's
     * steps; unchanged where it says none.
     */
    public EdgeArray preprocess(String input, EdgeArray values) {
        throw new UnsupportedOperationException("being written");
    }

    /** What the steps make of an output's real values; without {@code top_k} one array, {@link Result#values}. */
    public Result postprocess(String output, EdgeArray values) {
        throw new UnsupportedOperationException("being written");
    }

    /** What is made of an output: an array, or after {@code top_k} a ranking for each row. */
    public static final class Result {
        /** Null where there is a ranking. */
        public final EdgeArray values;
        /** For each row the largest, the largest first; null where there are values. */
        public final List<List<Scored>> ranking;

        Result(EdgeArray values, List<List<Scored>> ranking) {
            this.values = values;
            this.ranking = ranking;
        }
    }

    /** One of the largest values. */
    public static final class Scored {
        /** Its index. */
        public final int index;
        /** Its value. */
        public final double score;
        /** Its label, or null. */
        public final String label;

        Scored(int index, double score, String label) {
            this.index = index;
            this.score = score;
            this.label = label;
        }
    }
}
