package dev.edgesdk.edge;

import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a session was pointed at, and the model in it for each candidate. */
final class Subject {
    private static final Map<Policy.Accelerator, String[]> SUITS = new HashMap<>();

    static {
        SUITS.put(Policy.Accelerator.GPU, new String[] {"float16", "float32"});
        SUITS.put(Policy.Accelerator.NPU, new String[] {"int8", "integer", "int16"});
        SUITS.put(Policy.Accelerator.DSP, new String[] {"int8", "integer"});
        SUITS.put(Policy.Accelerator.CPU, new String[] {"int8", "integer", "hybrid_int8", "float32"});
    }

    final Model model;
    /** Null for a bare file. */
    final Variant variant;
    final List<Bundle.GoldenCase> cases;
    final List<GoldenSequence> sequences;

    private Subject(Model model, Variant variant, List<Bundle.GoldenCase> cases, List<GoldenSequence> sequences) {
        this.model = model;
        this.variant = variant;
        this.cases = cases;
        this.sequences = sequences;
    }

    /** By another signature: golden cases are of the default one. */
    private Subject entered(String signature) {
        return signature == null || signature.equals(model.key) ? this : new Subject(model.signature(signature), variant,
                Collections.<Bundle.GoldenCase>emptyList(), sequences);
    }

    /** What the bundle states of its cases. */
    Map<String, List<Manifest.Limit>> tolerance() {
        return cases.isEmpty() ? Collections.<String, List<Manifest.Limit>>emptyMap() : variant.tolerance;
    }

    String variantId() {
        return variant == null ? null : variant.id;
    }

    /** Predicted memory. */
    Need need(Candidate candidate) {
        long planned = variant == null ? model.liveBytes : variant.plannedBytes;
        long packed = candidate.name.equals("xnnpack") ? model.weightsBytes : 0;
        return new Need(planned, packed, cases.isEmpty() ? Trial.seededBytes(model) : 0);
    }

    /** All of one file; models are read and checked once. */
    static final class Package {
        final ModelSource source;
        /** Null for a bare file. */
        final Bundle bundle;
        private final String signature;
        private final Map<String, Subject> subjects = new HashMap<>();

        /**
         * Opens it.
         *
         * @throws EdgeException.Bundle it is damaged, or not signed as it must be
         * @throws EdgeException.Policy keys or variants were named for what has none
         */
        Package(ModelSource source, SessionOptions options) {
            this.source = source;
            this.signature = options.signature;
            bundle = Bundle.looksLikeOne(source) ? Bundle.open(source, options.trustedKeys) : null;
            if (bundle == null && !options.trustedKeys.isEmpty()) {
                throw new EdgeException.Policy(source.name
                        + " is a bare .tflite, which carries no signature, and trusted keys were given",
                        "pack and sign it with `edge-sdk bundle create`");
            }
            if (bundle == null && !options.variants.isEmpty()) {
                throw new EdgeException.Policy(source.name + " is no bundle: it has no variant `"
                        + options.variants.get(0) + "`", null);
            }
        }

        /** The named variant, or null for the one that suits the candidate. */
        Subject subject(String variant, Candidate candidate) {
            String id = bundle == null ? null : variant != null ? variant : suited(candidate.accelerator).id;
            Subject found = subjects.get(id);
            if (found == null) {
                found = (id == null ? bare() : fromBundle(runnable(bundle.variant(id)))).entered(signature);
                subjects.put(id, found);
            }
            return found;
        }

        /** None that was compiled for a chip: no delegate here loads such a file. */
        private Variant suited(Policy.Accelerator accelerator) {
            for (String precision : SUITS.get(accelerator)) {
                for (Variant variant : bundle.all()) {
                    if (variant.compiled == null && variant.precision.equals(precision)) {
                        return variant;
                    }
                }
            }
            for (Variant variant : bundle.all()) {
                if (variant.compiled == null) {
                    return variant;
                }
            }
            throw new AssertionError("a compiled variant is made from one that is not");
        }

        private static Variant runnable(Variant variant) {
            if (variant.compiled != null) {
                throw new EdgeException.Policy("variant `" + variant.id + "` was compiled for " + variant.compiled.target
                        + ", and this app has no dispatch that runs such files",
                        "name " + variant.compiled.madeFrom + ", or run it by LiteRT's CompiledModel");
            }
            return variant;
        }

        /** What a receipt says of compiled variants; null where the bundle has none. */
        String leftAside() {
            StringBuilder found = new StringBuilder();
            for (Variant one : bundle == null ? Collections.<Variant>emptyList() : bundle.all()) {
                if (one.compiled != null) {
                    found.append(found.length() == 0 ? "" : ", ").append(one.id).append(" (").append(one.compiled.target)
                            .append(')');
                }
            }
            return found.length() == 0 ? null : "compiled for NPUs and not taken: " + found
                    + "; this app has no dispatch that runs such files";
        }

        private Subject bare() {
            Model model = TfliteReader.read(source.name, Hashes.sha256(source.content), source.content);
            return new Subject(model, null, Collections.<Bundle.GoldenCase>emptyList(),
                    Collections.<GoldenSequence>emptyList());
        }

        private Subject fromBundle(Variant variant) {
            return new Subject(bundle.artifact(variant), variant, bundle.golden(variant.id), bundle.sequences(variant.id));
        }
    }
}
