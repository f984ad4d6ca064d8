package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The self-test over calls of several signatures: a bundle's golden sequences on a candidate. */
final class Rehearsal {
    final List<String> notes = new ArrayList<>();
    private final Subject subject;
    private final Executor executor;
    private final Double least;
    private final Set<String> faults = new LinkedHashSet<>();
    private int cases;

    /** {@code executor} keeps state between runs; {@code least} is the policy's own limit in dB, or null. */
    Rehearsal(Subject subject, Executor executor, Double least) {
        this.subject = subject;
        this.executor = executor;
        this.least = least;
    }

    /** The verdict once the sequences were run too. */
    SelfTest of(SelfTest verdict) {
        Ports first = new Ports(subject.model, executor, true, true);
        for (GoldenSequence one : subject.sequences) {
            String words = one.words();
            try {
                CallRunner runner = runner(first, CallPlan.of(subject.model, one.calls, true));
                for (Bundle.GoldenCase golden : one.cases) {
                    faults.addAll(run(words, one, golden, runner));
                }
                cases += one.cases.size();
                notes.add("self-test: " + one.cases.size() + " golden runs of " + words + " are among its cases");
            } catch (EdgeException.Target error) {
                notes.add("the golden runs of " + words + " were not made: " + error.getMessage());
            }
        }
        List<String> all = new ArrayList<>(verdict.faults);
        all.addAll(faults);
        Facts.SelfTest result = !faults.isEmpty() ? Facts.SelfTest.FAILED
                : verdict.result == null && cases > 0 ? Facts.SelfTest.PASSED : verdict.result;
        return new SelfTest(result, verdict.against, verdict.cases + cases, all, verdict.doubt);
    }

    private CallRunner runner(Ports first, CallPlan plan) {
        Map<String, Ports> known = new HashMap<>();
        known.put(first.model.key, first);
        for (CallPlan.Call call : plan.calls) {
            if (!known.containsKey(call.entry.key)) {
                known.put(call.entry.key, first.beside(call.entry));
            }
        }
        return new CallRunner(plan, executor, known);
    }

    private List<String> run(String words, GoldenSequence one, Bundle.GoldenCase golden, CallRunner runner) {
        List<String> found = new ArrayList<>();
        Map<String, EdgeArray> raw = new LinkedHashMap<>();
        try {
            runner.run(golden.inputs, raw);
        } catch (EdgeException.Cancelled cancelled) {
            throw cancelled;
        } catch (EdgeException.Model error) {
            found.add(words + ": " + error.getMessage());
            return found;
        }
        Judge judge = new Judge(subject.model.computesInIntegers, one.outputs, one.tolerance, executor.arithmetic(), least);
        for (String fault : judge.faults(golden, raw)) {
            found.add(words + ": " + fault);
        }
        return found;
    }
}
