package dev.edgesdk.edge;

import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Runs of the self-test over calls of several signatures; names are {@code LABEL/NAME}. */
final class GoldenSequence {
    final List<String> calls;
    final List<Port> outputs;
    final List<Bundle.GoldenCase> cases;
    final Map<String, List<Manifest.Limit>> tolerance;

    GoldenSequence(Variant.Sequence one, List<Bundle.GoldenCase> cases) {
        this.calls = one.calls;
        this.outputs = one.outputs;
        this.tolerance = one.tolerance;
        this.cases = Collections.unmodifiableList(cases);
    }

    /** {@code prefill then decode}. */
    String words() {
        return words(calls);
    }

    /**
     * Whether a model has these calls, and they take and give what the manifest says.
     *
     * @throws EdgeException.BundleFormat it has not
     */
    static void check(String name, Model model, Variant.Sequence one) {
        boolean same = false;
        try {
            CallPlan plan = CallPlan.of(model, one.calls, true);
            same = plan.inputs().equals(one.inputs) && plan.outputs().equals(one.outputs);
        } catch (EdgeException.Signature absent) {
            same = false;
        }
        if (!same) {
            throw new EdgeException.BundleFormat(name + ": has other inputs or outputs in " + words(one.calls)
                    + " than the manifest says", null);
        }
    }

    private static String words(List<String> calls) {
        StringBuilder made = new StringBuilder();
        for (String call : calls) {
            made.append(made.length() == 0 ? "" : " then ").append(call);
        }
        return Table.cut(made.toString());
    }
}
