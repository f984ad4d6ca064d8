package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** A failed self-test looked at again, before decisions: POLICY.md, "Decisions"; of a model entered by its first subgraph. */
final class Explained {
    /** What runs a model on raw inputs, a run each. */
    interface Run {
        List<Map<String, EdgeArray>> of(Model model, List<Map<String, EdgeArray>> inputs);
    }

    private final Subject subject;
    private final Trial trial;
    private final Executor.Arithmetic arithmetic;
    private final Double least;
    private final Run reference;
    private final Run candidate;
    private final TfliteReader file;
    private final int[] into;
    private final int[] wanted;
    private List<Map<String, EdgeArray>> expected;
    private List<Map<String, EdgeArray>> got;

    /** {@code arithmetic} is what the candidate computes in; {@code least} the policy's own limit in dB, or null. */
    Explained(Subject subject, Trial trial, Executor.Arithmetic arithmetic, Double least, Run reference, Run candidate) {
        this.subject = subject;
        this.trial = trial;
        this.arithmetic = arithmetic;
        this.least = least;
        this.reference = reference;
        this.candidate = candidate;
        file = TfliteReader.of(subject.model);
        into = file.graph(subject.model.subgraph).ints(1);
        int[] outof = file.graph(subject.model.subgraph).ints(2);
        wanted = new int[subject.model.outputs.size()];
        for (int place = 0; place < wanted.length; place++) {
            wanted[place] = outof[subject.model.outputPlace(place)];
        }
    }

    /** The verdict, or a better one where decisions explain the fault. */
    SelfTest of(SelfTest verdict) {
        Cut cut = subject.model.subgraph == 0 ? new Cut(file, wanted) : null;
        if (cut == null || cut.decisions.isEmpty()) {
            return verdict;
        }
        Model wider = cut.wider(subject.model, wanted);
        List<Map<String, EdgeArray>> inputs = new ArrayList<>();
        for (Map<String, EdgeArray> one : trial.inputs) {
            inputs.add(numbered(one));
        }
        expected = reference.of(wider, inputs);
        got = candidate.of(wider, inputs);
        SelfTest found = judged(wider.computesInIntegers, ports(wider, cut), inputs, expected, got);
        if (found.result != Facts.SelfTest.PASSED) {
            List<String> faults = new ArrayList<>(verdict.faults);
            faults.addAll(found.faults);
            return new SelfTest(verdict.result, verdict.against, verdict.cases, faults, verdict.doubt);
        }
        // A bundle's outputs may be of another engine: what is not explained by ours stays a fault.
        for (int run = 0; run < expected.size(); run++) {
            if (!holds(run, expected)) {
                return verdict;
            }
        }
        Map<Integer, Margin> margins = margins(cut);
        Boolean again = replayed(cut, inputs);
        if (again == null) {
            again = isClose(cut, margins);
        } else if (!again) {
            // What the replay decides otherwise it may have decided between values as close as these: ranks alone can tell.
            again = margins.size() == cut.decisions.size() && isClose(cut, margins);
        }
        return again ? found.decided(cut.words(margins)) : verdict;
    }

    /** Inputs of the model by their tensors. */
    private Map<String, EdgeArray> numbered(Map<String, EdgeArray> inputs) {
        Map<String, EdgeArray> made = new LinkedHashMap<>();
        for (int place = 0; place < subject.model.inputs.size(); place++) {
            made.put(Altered.name(into[subject.model.inputPlace(place)]), inputs.get(subject.model.inputs.get(place).name));
        }
        return made;
    }

    private static List<Port> ports(Model wider, Cut cut) {
        List<Port> made = new ArrayList<>();
        for (Port port : wider.outputs) {
            if (cut.values.contains(Integer.valueOf(port.name.substring(1)))) {
                made.add(port);
            }
        }
        return made;
    }

    private SelfTest judged(boolean integers, List<Port> ports, List<Map<String, EdgeArray>> inputs,
            List<Map<String, EdgeArray>> right, List<Map<String, EdgeArray>> made) {
        List<Bundle.GoldenCase> cases = new ArrayList<>();
        for (int run = 0; run < right.size(); run++) {
            cases.add(new Bundle.GoldenCase(inputs.get(run), right.get(run)));
        }
        Judge judge = new Judge(integers, ports, Collections.<String, List<Manifest.Limit>>emptyMap(), arithmetic, least);
        return judge.verdict(Trial.against(cases, trial.against), made);
    }

    /** Whether the model's own outputs of a run are within their limits. */
    private boolean holds(int run, List<Map<String, EdgeArray>> side) {
        Map<String, EdgeArray> own = new LinkedHashMap<>();
        for (int place = 0; place < wanted.length; place++) {
            own.put(subject.model.outputs.get(place).name, side.get(run).get(Altered.name(wanted[place])));
        }
        return new Judge(subject, arithmetic, least).faults(trial.cases.get(run), own).isEmpty();
    }

    /** Whether the candidate's outputs are what the engine's own kernels make of its values; null where that cannot be run. */
    private Boolean replayed(Cut cut, List<Map<String, EdgeArray>> inputs) {
        TreeSet<Integer> given = new TreeSet<>();
        Model after = cut.after(subject.model, wanted, given);
        if (after == null) {
            return null;
        }
        List<Map<String, EdgeArray>> values = new ArrayList<>();
        for (int run = 0; run < got.size(); run++) {
            Map<String, EdgeArray> one = new LinkedHashMap<>();
            for (int tensor : given) {
                String name = Altered.name(tensor);
                one.put(name, inputs.get(run).containsKey(name) ? inputs.get(run).get(name) : got.get(run).get(name));
            }
            values.add(one);
        }
        List<Map<String, EdgeArray>> made;
        try {
            made = reference.of(after, values);
        } catch (EdgeException.Cancelled cancelled) {
            throw cancelled;
        } catch (EdgeException.Model error) {
            return null;
        }
        return judged(after.computesInIntegers, after.outputs, values, made, got).result == Facts.SelfTest.PASSED;
    }

    /** Whether in every run whose outputs are off a decision differs, and each that names places was a close one. */
    private boolean isClose(Cut cut, Map<Integer, Margin> margins) {
        for (int run = 0; run < got.size(); run++) {
            boolean otherwise = false;
            for (Cut.Op op : cut.decisions.values()) {
                otherwise |= differs(op, run);
            }
            if (!otherwise && !holds(run, got)) {
                return false;
            }
        }
        for (Margin margin : margins.values()) {
            // One that is not a number is not close.
            if (!(margin.excess() <= 0)) {
                return false;
            }
        }
        return true;
    }

    private boolean differs(Cut.Op op, int run) {
        for (int tensor : op.outputs) {
            if (tensor >= 0 && !Arrays.equals(of(expected, run, tensor).doubles(), of(got, run, tensor).doubles())) {
                return true;
            }
        }
        return false;
    }

    private static EdgeArray of(List<Map<String, EdgeArray>> side, int run, int tensor) {
        return side.get(run).get(Altered.name(tensor));
    }

    /** Of decisions that came out otherwise and name places, the worst of all runs. */
    private Map<Integer, Margin> margins(Cut cut) {
        Map<Integer, Margin> worst = new TreeMap<>();
        for (Map.Entry<Integer, Cut.Op> one : cut.decisions.entrySet()) {
            Cut.Op op = one.getValue();
            for (int run = 0; run < got.size() && op.ranks() >= 0; run++) {
                EdgeArray values = of(expected, run, op.inputs[0]);
                if (values == null || !differs(op, run)) {
                    continue;
                }
                Margin found = Margin.of(values, of(got, run, op.inputs[0]), of(expected, run, op.outputs[op.ranks()]),
                        of(got, run, op.outputs[op.ranks()]), axis(op, values.shape().length));
                Margin known = worst.get(one.getKey());
                worst.put(one.getKey(), known == null || found.excess() > known.excess() ? found : known);
            }
        }
        return worst;
    }

    private int axis(Cut.Op op, int rank) {
        Integer stored = op.name.equals("TOPK_V2") ? null : file.constant(op.inputs[1]);
        return stored == null ? rank - 1 : Math.floorMod(stored, rank);
    }
}
