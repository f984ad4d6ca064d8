package dev.edgesdk.edge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What to do next: attempt a candidate, take one, or (neither) refuse. A pure function of a policy, candidates in
 * order, and facts of each attempt; POLICY.md, "The decision".
 */
public final class Decision {
    /** The candidate to attempt now, or null. */
    public final String next;
    /** The candidate to take, or null. */
    public final String chosen;
    /** Why not, for every other candidate that is settled, in the candidates' order. */
    public final Map<String, String> reasons;

    private Decision(String next, String chosen, Map<String, String> reasons, List<Candidate> candidates) {
        Map<String, String> ordered = new LinkedHashMap<>();
        for (Candidate candidate : candidates) {
            if (reasons.containsKey(candidate.name)) {
                ordered.put(candidate.name, reasons.get(candidate.name));
            }
        }
        this.next = next;
        this.chosen = chosen;
        this.reasons = Collections.unmodifiableMap(ordered);
    }

    /** The next step, from what is known so far. */
    public static Decision decide(Policy policy, List<Candidate> candidates, Map<String, Facts> facts) {
        Map<String, String> reasons = new HashMap<>();
        List<String> admitted = new ArrayList<>();
        for (Candidate candidate : order(policy, candidates, reasons)) {
            if (!admitted.isEmpty() && policy.pick == Policy.Pick.FIRST) {
                reasons.put(candidate.name, "not-tried");
                continue;
            }
            Facts known = facts.get(candidate.name);
            if (known == null) {
                return new Decision(candidate.name, null, reasons, candidates);
            }
            String objection = objection(policy, candidate.accelerator, known);
            if (objection == null) {
                admitted.add(candidate.name);
            } else {
                reasons.put(candidate.name, objection);
            }
        }
        String chosen = fastest(admitted, facts);
        for (String name : admitted) {
            if (!name.equals(chosen)) {
                reasons.put(name, "slower");
            }
        }
        return new Decision(null, chosen, reasons, candidates);
    }

    /** The first thing that keeps an attempted candidate out, null if it is admitted. */
    static String objection(Policy policy, Policy.Accelerator accelerator, Facts facts) {
        if (facts.unavailable != null) {
            return "unavailable";
        }
        String placed = accelerator == Policy.Accelerator.CPU ? null : placementObjection(policy, facts);
        if (placed != null) {
            return placed;
        }
        if (facts.selfTest == Facts.SelfTest.FAILED) {
            return "wrong-results";
        }
        boolean late = policy.maxLatencyMs != null && (facts.runMs == null || facts.runMs > policy.maxLatencyMs);
        return late ? "too-slow" : null;
    }

    private static String placementObjection(Policy policy, Facts facts) {
        if (policy.rule(Policy.Accelerator.CPU) == Policy.Rule.FORBID) {
            if (facts.delegated == null) {
                return "placement-unknown";
            }
            if (facts.delegated < facts.ops) {
                return "ops-on-cpu";
            }
        }
        if (policy.maxPartitions != null) {
            if (facts.partitions == null) {
                return "placement-unknown";
            }
            if (facts.partitions > policy.maxPartitions) {
                return "too-many-partitions";
            }
        }
        if (policy.minMacShare != null) {
            if (facts.macShare == null) {
                return "placement-unknown";
            }
            if (facts.macShare < policy.minMacShare) {
                return "too-few-macs";
            }
        }
        return null;
    }

    /** Those that are not ruled out, preferred ones first; the others get their reason. */
    private static List<Candidate> order(Policy policy, List<Candidate> candidates, Map<String, String> reasons) {
        List<Candidate> preferred = new ArrayList<>();
        List<Candidate> others = new ArrayList<>();
        for (Candidate candidate : candidates) {
            Policy.Rule rule = policy.rule(candidate.accelerator);
            if (rule == Policy.Rule.FORBID) {
                reasons.put(candidate.name, "forbidden");
            } else if (policy.requiresAny() && rule != Policy.Rule.REQUIRE) {
                reasons.put(candidate.name, "not-required");
            } else {
                (rule == Policy.Rule.PREFER ? preferred : others).add(candidate);
            }
        }
        preferred.addAll(others);
        return preferred;
    }

    /** Of several the one with the shortest run, the first of equals; one that was not timed comes last. */
    private static String fastest(List<String> admitted, Map<String, Facts> facts) {
        String best = null;
        double least = 0;
        for (String name : admitted) {
            Double ran = facts.get(name).runMs;
            double took = ran == null ? Double.POSITIVE_INFINITY : ran;
            if (best == null || took < least) {
                best = name;
                least = took;
            }
        }
        return best;
    }
}
