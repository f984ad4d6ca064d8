package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The self-test that admits a delegate: POLICY.md, "The self-test". */
final class Judge {
    private static final Map<String, Double> LEAST_DB = new HashMap<>();
    private static final double LEAST_FLOAT_ERROR = 1e-6, FEW_STEPS = 4, HARDLY = 1e-3;

    static {
        LEAST_DB.put("integer", 6.0);
        LEAST_DB.put("float32", 60.0);
        LEAST_DB.put("float16", 30.0);
    }

    private final List<Port> outputs;
    private final Map<String, List<Manifest.Limit>> tolerance;
    private final Double least;
    private final List<String> kinds = new ArrayList<>();

    /** Of the model's own entry, for what an executor computes in; {@code least} is the policy's own limit in dB, or null. */
    Judge(Subject subject, Executor.Arithmetic arithmetic, Double least) {
        this(subject.model.computesInIntegers, subject.model.outputs, subject.tolerance(), arithmetic, least);
    }

    /** Of these outputs, with the limits that a bundle states for them. */
    Judge(boolean computesInIntegers, List<Port> outputs, Map<String, List<Manifest.Limit>> tolerance,
            Executor.Arithmetic arithmetic, Double least) {
        this.outputs = outputs;
        this.tolerance = tolerance;
        this.least = least;
        if (computesInIntegers) {
            kinds.add("integer");
        }
        kinds.add(Policy.lower(arithmetic));
    }

    SelfTest verdict(Trial trial, List<Map<String, EdgeArray>> made) {
        if (trial.cases.isEmpty()) {
            return SelfTest.none(trial.against);
        }
        Set<String> faults = new LinkedHashSet<>();
        for (int run = 0; run < trial.cases.size(); run++) {
            faults.addAll(faults(trial.cases.get(run), made.get(run)));
        }
        Facts.SelfTest result = faults.isEmpty() ? Facts.SelfTest.PASSED : Facts.SelfTest.FAILED;
        return new SelfTest(result, trial.against, trial.cases.size(), new ArrayList<>(faults), doubt(trial.cases));
    }

    /** What is wrong with raw outputs of one case. */
    List<String> faults(Bundle.GoldenCase golden, Map<String, EdgeArray> got) {
        List<String> found = new ArrayList<>();
        String kind = statedKind();
        for (Port port : outputs) {
            EdgeArray expected = golden.outputs.get(port.name);
            Manifest.Limit limit = kind == null ? ownLimit(port, expected) : stated(port.name, kind);
            String fault = fault(port, limit, expected, got.get(port.name));
            if (fault != null) {
                found.add(fault);
            }
        }
        return found;
    }

    /** The first arithmetic for which the bundle states limits of all outputs; null if none, or the policy has its own. */
    private String statedKind() {
        for (String kind : least == null ? kinds : Collections.<String>emptyList()) {
            boolean all = true;
            for (Port port : outputs) {
                all &= stated(port.name, kind) != null;
            }
            if (all) {
                return kind;
            }
        }
        return null;
    }

    private Manifest.Limit stated(String output, String kind) {
        List<Manifest.Limit> all = tolerance.get(output);
        for (Manifest.Limit limit : all == null ? Collections.<Manifest.Limit>emptyList() : all) {
            if (limit.arithmetic.equals(kind)) {
                return limit;
            }
        }
        return null;
    }

    private Manifest.Limit ownLimit(Port port, EdgeArray expected) {
        String kind = kinds.get(0);
        if (port.scale == null && !expected.dtype.isFloat()) {
            return new Manifest.Limit(kind, false, 0, "whole numbers are equal or wrong");
        }
        double largest = 0;
        for (double value : real(expected, port)) {
            largest = Double.isNaN(value) || Double.isInfinite(value) ? largest : Math.max(largest, Math.abs(value));
        }
        double smallest = port.scale == null ? LEAST_FLOAT_ERROR : FEW_STEPS * port.scale;
        if (largest <= smallest) {
            return new Manifest.Limit(kind, false, smallest, "all but zero is expected");
        }
        return least == null ? new Manifest.Limit(kind, true, LEAST_DB.get(kind), "for arithmetic in " + kind)
                : new Manifest.Limit(kind, true, least, "the policy's min_sqnr_db");
    }

    private static String fault(Port port, Manifest.Limit limit, EdgeArray expected, EdgeArray got) {
        double measured = measure(limit.isSqnr, real(expected, port), real(got, port));
        if (limit.isSqnr ? measured >= limit.value : measured <= limit.value) {
            return null;
        }
        return String.format(Locale.ROOT, "output `%s`: %s %.4g, expected %s %.4g (%s)", port.name,
                limit.isSqnr ? "SQNR" : "max abs error", measured, limit.isSqnr ? ">=" : "<=", limit.value,
                limit.derivation);
    }

    /** What raw values stand for. */
    static double[] real(EdgeArray values, Port port) {
        double[] made = values.doubles();
        for (int index = 0; port.scale != null && index < made.length; index++) {
            made[index] = (made[index] - port.zeroPoint) * port.scale;
        }
        return made;
    }

    /** The largest absolute difference, or the SQNR in dB; the worst there is where a value is not finite. */
    static double measure(boolean isSqnr, double[] expected, double[] got) {
        double most = 0, noise = 0, signal = 0;
        for (int index = 0; index < expected.length; index++) {
            double one = expected[index];
            boolean finite = !Double.isNaN(one) && !Double.isInfinite(one);
            signal += finite ? one * one : 0;
            if (one == got[index] || Double.isNaN(one) && Double.isNaN(got[index])) {
                continue;
            }
            double error = one - got[index];
            if (Double.isNaN(error) || Double.isInfinite(error)) {
                return isSqnr ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
            }
            most = Math.max(most, Math.abs(error));
            noise += error * error;
        }
        if (!isSqnr) {
            return most;
        }
        return noise == 0 ? Double.POSITIVE_INFINITY
                : signal > 0 ? 10 * Math.log10(signal / noise) : Double.NEGATIVE_INFINITY;
    }

    /** What weakens the verdict: a model that says the same whatever it is shown cannot be caught computing wrong. */
    private static String doubt(List<Bundle.GoldenCase> cases) {
        Bundle.GoldenCase first = cases.get(0);
        for (Map.Entry<String, EdgeArray> output : first.outputs.entrySet()) {
            double[] values = output.getValue().doubles();
            double largest = output.getValue().dtype == DType.BOOL ? 1 : largest(values, null);
            for (Bundle.GoldenCase other : cases.subList(1, cases.size())) {
                if (largest(values, other.outputs.get(output.getKey()).doubles()) > HARDLY * largest) {
                    return "";
                }
            }
        }
        return cases.size() > 1 ? "its outputs hardly vary from case to case, so that agreement proves little" : "";
    }

    private static double largest(double[] values, double[] less) {
        double most = 0;
        for (int index = 0; index < values.length; index++) {
            most = Math.max(most, Math.abs(values[index] - (less == null ? 0 : less[index])));
        }
        return most;
    }
}
