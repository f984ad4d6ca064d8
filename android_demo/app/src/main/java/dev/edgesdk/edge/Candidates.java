package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The ways a model could be run on this device, in the order in which they should be tried. */
final class Candidates {
    private static final Map<String, Policy.Accelerator> KNOWN = new LinkedHashMap<>();
    private static final Map<String, String> RULES = new HashMap<>();

    static {
        KNOWN.put("xnnpack", Policy.Accelerator.CPU);
        KNOWN.put("gpu", Policy.Accelerator.GPU);
        KNOWN.put("npu", Policy.Accelerator.NPU);
        KNOWN.put("nnapi", Policy.Accelerator.NPU);
        KNOWN.put("cpu", Policy.Accelerator.CPU);
        RULES.put("gpu", "gpu_v2");
    }

    private Candidates() { }

    /**
     * What to try, in order.
     *
     * @throws EdgeException.Policy no delegate has that name, or the bundle knows no such profile
     */
    static List<Candidate> of(SessionOptions options, Engine engine, Bundle bundle) {
        Map<String, Candidate> made = new LinkedHashMap<>();
        for (String name : options.delegates) {
            if (!KNOWN.containsKey(name)) {
                throw new EdgeException.Policy("unknown delegate `" + Table.cut(name) + "`", "one of " + KNOWN.keySet());
            }
            made.put(name, new Candidate(name, KNOWN.get(name)));
        }
        if (options.delegates.isEmpty()) {
            add(made, options.profile == null ? engine.found() : ofProfile(options.profile, bundle));
            add(made, Collections.singletonList(new Candidate("xnnpack", Policy.Accelerator.CPU)));
            add(made, Collections.singletonList(new Candidate("cpu", Policy.Accelerator.CPU)));
        } else if (options.profile != null) {
            ofProfile(options.profile, bundle);
        }
        return new ArrayList<>(made.values());
    }

    /** What rules predicted for a candidate when the bundle was made; null where nobody asked them. */
    static Manifest.Delegate predicted(Variant variant, String profile, String candidate) {
        String rules = RULES.containsKey(candidate) ? RULES.get(candidate) : candidate;
        for (Map.Entry<String, List<Manifest.Delegate>> one
                : variant == null ? Collections.<String, List<Manifest.Delegate>>emptyMap().entrySet()
                : variant.checked.entrySet()) {
            // Rules of NNAPI depend on the device, those of the others do not.
            boolean same = profile == null ? !candidate.equals("nnapi") : one.getKey().equals(profile);
            for (Manifest.Delegate delegate : one.getValue()) {
                if (same && delegate.rules.equals(rules) && !delegate.verdict.equals("not predicted")) {
                    return delegate;
                }
            }
        }
        return null;
    }

    private static void add(Map<String, Candidate> made, List<Candidate> more) {
        for (Candidate one : more) {
            if (!made.containsKey(one.name)) {
                made.put(one.name, one);
            }
        }
    }

    private static List<Candidate> ofProfile(String profile, Bundle bundle) {
        for (Variant variant : bundle == null ? Collections.<Variant>emptyList() : bundle.all()) {
            if (variant.checked.containsKey(profile)) {
                List<Candidate> made = new ArrayList<>();
                for (Manifest.Delegate delegate : variant.checked.get(profile)) {
                    made.add(candidate(delegate));
                }
                return made;
            }
        }
        throw new EdgeException.Policy("profile `" + Table.cut(profile) + "` is not in the bundle",
                bundle == null ? "a bare .tflite knows no profile" : "it was checked against " + bundle.profiles()
                + "; leave the profile out to look at the device");
    }

    private static Candidate candidate(Manifest.Delegate delegate) {
        String name = delegate.rules.equals("gpu_v2") ? "gpu" : delegate.rules;
        for (Policy.Accelerator one : Policy.Accelerator.values()) {
            if (one.word().equals(delegate.accelerator.toLowerCase(Locale.ROOT))) {
                return new Candidate(name, one);
            }
        }
        throw new EdgeException.BundleFormat("manifest.json: unknown accelerator `" + Table.cut(delegate.accelerator)
                + "`", null);
    }
}
