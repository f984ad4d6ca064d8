package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.List;

/**
 * Where the ops went: what the engine tells, and of the rest what rules predicted when the bundle was made.
 *
 * <p>TensorFlow Lite's Java API lists no ops. It knows the length of its plan: of {@code n} ops a delegate took {@code d}
 * in {@code p} partitions, and {@code n - d + p} steps are left. One step says that it took all; else the length confirms
 * or refutes the prediction.
 */
final class Placements {
    final Placement found;
    final List<String> notes;
    private final int ops;

    Placements(int ops, Executor executor, Manifest.Delegate rules) {
        this.ops = ops;
        notes = new ArrayList<>(executor.notes());
        Facts.Placement told = executor.placement();
        if (told != null && told.delegated != null) {
            found = measured(told.delegated, told.partitions, rules);
        } else if (executor.steps() == null) {
            found = rules == null ? unknown() : predicted(taken(rules), rules);
        } else {
            found = bySteps(executor.steps(), rules);
        }
    }

    private Placement bySteps(int steps, Manifest.Delegate rules) {
        if (steps == 1 && ops > 1) {
            return measured(ops, 1, rules);
        }
        notes.add("which ops it took is not told by the engine: its plan has " + steps + " steps for " + ops + " ops"
                + (steps == ops && ops > 1 ? ", so that it took none, or single ops only" : ""));
        if (rules == null) {
            return unknown();
        }
        int taken = ops - steps + rules.partitions;
        Integer all = taken(rules);
        if (taken < rules.partitions || taken > ops || all != null && all != taken) {
            notes.add("that refutes the prediction: " + rules.verdict + " of it, in partitions: " + rules.partitions);
            return unknown();
        }
        return predicted(taken, rules);
    }

    private Placement measured(int taken, Integer partitions, Manifest.Delegate rules) {
        if (taken == 0 || taken == ops) {
            double share = ops == 0 ? 1 : (double) taken / ops;
            return new Placement(ops, taken, partitions, share, Placement.MEASURED, Placement.MEASURED);
        }
        return new Placement(ops, taken, partitions, rules == null ? null : (Double) rules.macShare, Placement.MEASURED,
                rules == null ? null : Placement.PREDICTED);
    }

    private Placement predicted(Integer taken, Manifest.Delegate rules) {
        return new Placement(ops, taken, rules.partitions, rules.macShare, Placement.PREDICTED, Placement.PREDICTED);
    }

    private Placement unknown() {
        return new Placement(ops, null, null, null, null, null);
    }

    /** All or none, where the verdict says so. */
    private Integer taken(Manifest.Delegate rules) {
        return rules.verdict.equals("all") ? (Integer) ops : rules.verdict.equals("none") ? (Integer) 0 : null;
    }
}
