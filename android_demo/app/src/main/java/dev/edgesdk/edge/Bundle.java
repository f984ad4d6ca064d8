package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;

/** A bundle opened: its form, manifest and signature checked; every member's hash checked before a byte of it is used. */
public final class Bundle {
    private final ModelSource source;
    private final Archive archive;
    private final Manifest manifest;
    private final String signer;
    private final Set<String> verified = new HashSet<>();
    private Processing processing;

    private Bundle(ModelSource source, Archive archive, Manifest manifest, String signer) {
        this.source = source;
        this.archive = archive;
        this.manifest = manifest;
        this.signer = signer;
    }

    /** One run of the self-test: raw inputs and expected raw outputs by name. */
    public static final class GoldenCase {
        /** By name. */
        public final Map<String, EdgeArray> inputs;
        /** By name. */
        public final Map<String, EdgeArray> outputs;

        GoldenCase(Map<String, EdgeArray> inputs, Map<String, EdgeArray> outputs) {
            this.inputs = Collections.unmodifiableMap(inputs);
            this.outputs = Collections.unmodifiableMap(outputs);
        }
    }

    /**
     * Opens a bundle.
     *
     * @param trustedKeys Ed25519 public keys, 32 bytes each or PEM; if there are any, one must have signed it
     * @throws EdgeException.Bundle in its four kinds
     */
    public static Bundle open(ModelSource source, List<byte[]> trustedKeys) {
        try {
            return read(source, trustedKeys);
        } catch (EdgeException.Bundle error) {
            error.about(source.name);
            throw error;
        }
    }

    private static Bundle read(ModelSource source, List<byte[]> trustedKeys) {
        Archive archive = new Archive(source.content);
        Map<String, Archive.Member> members = archive.members();
        for (String name : Arrays.asList(Manifest.FILE, Manifest.HASH)) {
            if (!members.containsKey(name)) {
                throw new EdgeException.BundleFormat("it has no " + name, "a bundle is made by `edge-sdk bundle create`");
            }
        }
        ByteBuffer raw = archive.view(members.get(Manifest.FILE));
        byte[] line = (Hashes.sha256(raw) + "  " + Manifest.FILE + "\n").getBytes(StandardCharsets.US_ASCII);
        if (!Arrays.equals(line, Hashes.bytes(archive.view(members.get(Manifest.HASH))))) {
            throw new EdgeException.BundleIntegrity(Manifest.FILE + " has another SHA-256 than " + Manifest.HASH + " says");
        }
        String signer = signer(archive, raw, trustedKeys);
        Manifest manifest = new Manifest(raw);
        checkMembers(members, manifest);
        return new Bundle(source, archive, manifest, signer);
    }

    /** Whether these bytes begin as a bundle does. */
    public static boolean looksLikeOne(ModelSource source) {
        return Archive.looksLikeOne(source.content);
    }

    /** {@code verified} if a trusted key signed it, {@code signed, not checked} or {@code unsigned}. */
    public String trust() {
        if (signer != null) {
            return "verified";
        }
        return archive.members().containsKey(Manifest.SIGNATURES) ? "signed, not checked" : "unsigned";
    }

    /** Id of the key that it was verified with, or null. */
    public String signedBy() {
        return signer;
    }

    /** Of the model. */
    public String name() {
        return manifest.name;
    }

    /** Ids of the variants. */
    public List<String> variants() {
        List<String> made = new ArrayList<>();
        for (Variant variant : manifest.variants) {
            made.add(variant.id);
        }
        return made;
    }

    /** Ids of the device profiles that the bundle was checked against. */
    public List<String> profiles() {
        Set<String> found = new java.util.LinkedHashSet<>();
        for (Variant variant : manifest.variants) {
            found.addAll(variant.checked.keySet());
        }
        return new ArrayList<>(found);
    }

    /**
     * Golden cases of a variant; empty where the bundle holds none.
     *
     * @throws EdgeException.Bundle there is no such variant, or an array is not what the manifest says
     */
    public List<GoldenCase> golden(String id) {
        Variant variant = manifest.variant(id);
        List<GoldenCase> made = new ArrayList<>();
        for (Variant.Golden golden : variant.golden) {
            made.add(new GoldenCase(arrays(golden.inputs, variant.inputs), arrays(golden.outputs, variant.outputs)));
        }
        return made;
    }

    /** Golden runs of calls of several signatures; errors as {@link #golden}. */
    List<GoldenSequence> sequences(String id) {
        List<GoldenSequence> made = new ArrayList<>();
        for (Variant.Sequence one : manifest.variant(id).sequences) {
            List<GoldenCase> cases = new ArrayList<>();
            for (Variant.Golden golden : one.golden) {
                cases.add(new GoldenCase(arrays(golden.inputs, one.inputs), arrays(golden.outputs, one.outputs)));
            }
            made.add(new GoldenSequence(one, cases));
        }
        return made;
    }

    /**
     * Names of an output's indices; empty where it has none.
     *
     * @throws EdgeException.BundleFormat not text in UTF-8
     */
    public List<String> labels(String output) {
        String member = manifest.labels.get(output);
        if (member == null) {
            return Collections.emptyList();
        }
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(member(member)).toString();
            return Arrays.asList((text.endsWith("\n") ? text.substring(0, text.length() - 1) : text).split("\n", -1));
        } catch (CharacterCodingException error) {
            throw new EdgeException.BundleFormat(source.name + ": " + member + " is not UTF-8", null);
        }
    }

    /**
     * The .tflite file of a variant, in place: direct, native order.
     *
     * @throws EdgeException.BundleIntegrity its bytes are not what the manifest says
     */
    public ByteBuffer model(String id) {
        return member(manifest.variant(id).model).order(ByteOrder.nativeOrder());
    }

    /**
     * Every check there is, now: hashes, checksums, models, golden values, labels and steps. Without it each is checked when
     * it is first used, so that a device pays for the variant that it runs and no other.
     *
     * @throws EdgeException.Bundle the first thing that is wrong
     */
    public void verifyAll() {
        for (Manifest.Record record : manifest.members) {
            CRC32 crc = new CRC32();
            crc.update(member(record.name));
            if (crc.getValue() != record.crc32) {
                throw new EdgeException.BundleIntegrity("`" + record.name + "` has another CRC-32 than the manifest says");
            }
        }
        for (Variant variant : manifest.variants) {
            artifact(variant);
            golden(variant.id);
            sequences(variant.id);
        }
        for (Variant variant : manifest.variants) {
            processing().check(variant);
            checkLabels(variant);
        }
    }

    /** Whether an input is made from a picture. */
    public boolean takesPicture(String input) {
        return processing().takesPicture(input);
    }

    /**
     * Real values for an input, from a picture (uint8 [height, width, 3], RGB, upright) or from values, by the bundle's
     * steps; unchanged where it says none.
     *
     * @throws EdgeException.Signature the picture is not one
     * @throws EdgeException.BundleFormat a step cannot follow the one before it
     */
    public EdgeArray preprocess(String input, EdgeArray values) {
        return processing().preprocess(input, values);
    }

    /**
     * What the steps make of an output's real values; without {@code top_k} one array, {@link Result#values}.
     *
     * @throws EdgeException.BundleFormat a step follows a ranking
     */
    public Result postprocess(String output, EdgeArray values) {
        return processing().postprocess(output, values, labels(output));
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

    Variant variant(String id) {
        return manifest.variant(id);
    }

    List<Variant> all() {
        return manifest.variants;
    }

    /**
     * The model of a variant, read.
     *
     * @throws EdgeException.BundleFormat it is no TFLite file, or not the one that the manifest describes
     */
    Model artifact(Variant variant) {
        String name = source.name + ":" + variant.id;
        Model model;
        try {
            model = TfliteReader.read(name, variant.sha256, model(variant.id));
        } catch (EdgeException.Model error) {
            throw new EdgeException.BundleFormat(error.getMessage(), "the bundle was not made by edge-sdk: make it again");
        }
        if (!model.inputs.equals(variant.inputs) || !model.outputs.equals(variant.outputs)) {
            throw new EdgeException.BundleFormat(name + ": has other inputs or outputs than the manifest says", null);
        }
        for (Variant.Sequence one : variant.sequences) {
            GoldenSequence.check(name, model, one);
        }
        return model;
    }

    private void checkLabels(Variant variant) {
        for (String output : manifest.labels.keySet()) {
            Port port = null;
            for (Port one : variant.outputs) {
                port = one.name.equals(output) ? one : port;
            }
            int[] shape = port == null ? new int[0] : port.shape();
            int count = labels(output).size();
            if (port == null || shape.length > 0 && count != shape[shape.length - 1]) {
                throw new EdgeException.BundleFormat(count + " labels for output `" + output + "`, "
                        + (port == null ? "which a variant does not have" : "of shape " + Arrays.toString(shape)), null);
            }
        }
    }

    private Processing processing() {
        if (processing == null) {
            processing = new Processing(manifest.rawProcessing);
        }
        return processing;
    }

    private static String signer(Archive archive, ByteBuffer manifest, List<byte[]> trustedKeys) {
        if (trustedKeys.isEmpty()) {
            return null;
        }
        Archive.Member member = archive.members().get(Manifest.SIGNATURES);
        if (member == null) {
            throw new EdgeException.BundleSignature("it is unsigned, and a signature by a trusted key is required",
                    "sign it with `edge-sdk bundle create --sign KEY`, or open it without keys");
        }
        return Ed25519Signatures.verify(manifest, archive.view(member), trustedKeys);
    }

    /** The archive holds what the manifest lists, in its order, and nothing else. */
    private static void checkMembers(Map<String, Archive.Member> members, Manifest manifest) {
        List<String> expected = new ArrayList<>();
        for (String name : Manifest.RESERVED) {
            if (members.containsKey(name)) {
                expected.add(name);
            }
        }
        expected.addAll(manifest.records.keySet());
        if (!expected.equals(new ArrayList<>(members.keySet()))) {
            throw new EdgeException.BundleIntegrity("the archive and the manifest list other members, or another order");
        }
        for (Manifest.Record record : manifest.members) {
            Archive.Member member = members.get(record.name);
            if (member.size != record.size || member.crc32 != record.crc32) {
                throw new EdgeException.BundleIntegrity("`" + record.name + "` has " + member.size + " bytes and CRC-32 "
                        + Long.toHexString(member.crc32) + " in the archive, " + record.size + " and "
                        + Long.toHexString(record.crc32) + " in the manifest");
            }
        }
    }

    /** A member's bytes; its hash is checked at the first use. */
    private ByteBuffer member(String name) {
        ByteBuffer view = archive.view(archive.members().get(name));
        if (verified.add(name)) {
            String found = Hashes.sha256(view), expected = manifest.records.get(name).sha256;
            if (!found.equals(expected)) {
                verified.remove(name);
                throw new EdgeException.BundleIntegrity(source.name + ": `" + name + "` has SHA-256 "
                        + found.substring(0, 16) + "..., the manifest says " + expected.substring(0, 16) + "...");
            }
        }
        return view;
    }

    private Map<String, EdgeArray> arrays(Map<String, String> members, List<Port> ports) {
        Map<String, EdgeArray> made = new LinkedHashMap<>();
        for (Port port : ports) {
            String member = members.get(port.name);
            if (port.type() == null) {
                throw new EdgeException.BundleFormat(source.name + ": `" + port.name + "` is " + port.dtype
                        + ", which has no golden values", null);
            }
            ByteBuffer data = member(member);
            if (data.remaining() != port.sizeBytes()) {
                throw new EdgeException.BundleFormat(source.name + ": " + member + " has " + data.remaining() + " bytes, "
                        + port + " needs " + port.sizeBytes(), null);
            }
            made.put(port.name, EdgeArray.wrap(port.type(), data, port.shape()));
        }
        return made;
    }
}
