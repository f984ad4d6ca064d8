package dev.edgesdk.edge;

import java.io.File;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Opening a model: candidates are attempted as the policy says, until one is admitted or all are out. */
final class Opener {
    /** An open model, and what it holds of a memory budget. */
    static final class Loaded {
        final Executor executor;
        final Subject subject;
        private final MemoryBudget budget;
        private final int ticket;

        Loaded(Executor executor, Subject subject, MemoryBudget budget, int ticket) {
            this.executor = executor;
            this.subject = subject;
            this.budget = budget;
            this.ticket = ticket;
        }

        void close() {
            executor.close();
            if (budget != null) {
                budget.giveBack(ticket);
            }
        }
    }

    /** An attempt so far. */
    private static final class Tried {
        final Facts facts;
        final Attempt.Ran ran;
        final EdgeException error;
        Loaded loaded;

        Tried(Facts facts, Attempt.Ran ran, EdgeException error, Loaded loaded) {
            this.facts = facts;
            this.ran = ran;
            this.error = error;
            this.loaded = loaded;
        }
    }

    private final Subject.Package file;
    private final String variant;
    private final List<Candidate> candidates;
    private final Engine engine;
    private final SessionOptions options;
    private final Map<String, Tried> tried = new LinkedHashMap<>();
    private final Map<String, Trial> trials = new HashMap<>();
    /** What is open when it ends. */
    Loaded loaded;
    Opening opening;

    Opener(Subject.Package file, String variant, List<Candidate> candidates, Engine engine, SessionOptions options) {
        this.file = file;
        this.variant = variant;
        this.candidates = candidates;
        this.engine = engine;
        this.options = options;
    }

    /**
     * Opens the model with the first candidate (or the fastest) that the policy admits.
     *
     * @throws EdgeException.DelegateUnavailable the policy admits none; of a single candidate, its own error
     */
    void open() {
        boolean done = false;
        try {
            Decision step = Decision.decide(options.policy, candidates, facts());
            while (step.next != null) {
                tried.put(step.next, attempt(named(step.next)));
                step = Decision.decide(options.policy, candidates, facts());
                closeLosers(step);
            }
            settle(step);
            done = true;
        } finally {
            for (Tried one : tried.values()) {
                if (!done && one.loaded != null) {
                    one.loaded.close();
                }
            }
        }
    }

    private void settle(Decision step) {
        List<Attempt> attempts = new ArrayList<>();
        Attempt chosen = null;
        for (Candidate candidate : candidates) {
            Attempt attempt = settled(candidate, step.reasons.get(candidate.name));
            attempts.add(attempt);
            chosen = candidate.name.equals(step.chosen) ? attempt : chosen;
        }
        if (chosen == null) {
            throw refusal(attempts);
        }
        loaded = tried.get(step.chosen).loaded;
        Subject subject = loaded.subject;
        if (options.keepState && subject.model.isStateful) {
            // It was tried from nothing in every run, and begins so.
            loaded.close();
            loaded = load(chosen.candidate, subject, true);
            tried.get(step.chosen).loaded = loaded;
        }
        opening = new Opening(subject.model.name, subject.variantId(), subject.model.sha256, chosen, attempts,
                subject.need(chosen.candidate));
    }

    private Tried attempt(Candidate candidate) {
        options.cancellation.check();
        try {
            return ran(candidate, file.subject(variant, candidate));
        } catch (EdgeException.Cancelled cancelled) {
            throw cancelled;
        } catch (EdgeException error) {
            return new Tried(Facts.unavailable(error.getMessage()), null, error, null);
        }
    }

    private Tried ran(Candidate candidate, Subject subject) {
        options.limits.check(subject.need(candidate), subject.model.name);
        Trial trial = trial(candidate, subject);
        long began = System.nanoTime();
        Loaded made = load(candidate, subject, false);
        double initMs = (System.nanoTime() - began) / 1e6;
        boolean done = false;
        try {
            Tried result = tried(candidate, made, trial, initMs);
            done = true;
            return result;
        } finally {
            if (!done) {
                options.cancellation.watch(null);
                made.close();
            }
        }
    }

    private Tried tried(Candidate candidate, Loaded made, Trial trial, double initMs) {
        Subject subject = made.subject;
        Executor executor = made.executor;
        options.cancellation.watch(executor);
        Placements placements = new Placements(subject.model.ops, executor,
                Candidates.predicted(subject.variant, options.profile, candidate.name));
        Placement placement = placements.found;
        Trial.Timed timed = timed(candidate, made, trial);
        options.cancellation.watch(null);
        SelfTest verdict = timed.tookMs.isEmpty() ? SelfTest.none(trial.against)
                : new Judge(subject, executor.arithmetic(), options.policy.minSqnrDb).verdict(trial, timed.outputs);
        if (verdict.result == Facts.SelfTest.FAILED) {
            verdict = explained(candidate, subject, trial, executor.arithmetic(), verdict);
        }
        verdict = rehearsed(candidate, subject, verdict, placements.notes);
        String aside = file.leftAside();
        if (aside != null) {
            placements.notes.add(aside);
        }
        Facts facts = Facts.of(placement.ops, placement.facts(), verdict.result, timed.median());
        Attempt.Ran ran = new Attempt.Ran(subject.variantId(), executor.engine(), placement, verdict, initMs,
                timed.first(), timed.median(), placements.notes);
        return new Tried(facts, ran, null, made);
    }

    /** A fault that decisions explain is none. */
    private SelfTest explained(final Candidate candidate, final Subject subject, Trial trial, Executor.Arithmetic arithmetic,
            SelfTest verdict) {
        Explained.Run reference = new Explained.Run() {
            @Override
            public List<Map<String, EdgeArray>> of(Model model, List<Map<String, EdgeArray>> inputs) {
                return made(new Candidate("cpu", Policy.Accelerator.CPU), subject, model, inputs);
            }
        };
        Explained.Run own = new Explained.Run() {
            @Override
            public List<Map<String, EdgeArray>> of(Model model, List<Map<String, EdgeArray>> inputs) {
                return made(candidate, subject, model, inputs);
            }
        };
        try {
            return new Explained(subject, trial, arithmetic, options.policy.minSqnrDb, reference, own).of(verdict);
        } catch (EdgeException.Cancelled cancelled) {
            throw cancelled;
        } catch (EdgeException error) {
            // What cannot be opened with more outputs is not explained.
            return verdict;
        }
    }

    /** What a candidate makes of inputs of a model that was made of the subject's. */
    private List<Map<String, EdgeArray>> made(Candidate candidate, Subject subject, Model model,
            List<Map<String, EdgeArray>> inputs) {
        Loaded opened = load(candidate, subject, model, false);
        List<Map<String, EdgeArray>> made = new ArrayList<>();
        try {
            options.cancellation.watch(opened.executor);
            for (Map<String, EdgeArray> one : inputs) {
                options.cancellation.check();
                Trial.write(model, opened.executor, one);
                opened.executor.invoke();
                made.add(Trial.read(model, opened.executor));
            }
            return made;
        } finally {
            options.cancellation.watch(null);
            opened.close();
        }
    }

    /** The bundle's sequences of calls too, in an interpreter of their own, which keeps state. */
    private SelfTest rehearsed(Candidate candidate, Subject subject, SelfTest verdict, List<String> notes) {
        if (subject.sequences.isEmpty() || !options.policy.selfTest || verdict.result == Facts.SelfTest.FAILED) {
            return verdict;
        }
        Loaded made = load(candidate, subject, true);
        try {
            options.cancellation.watch(made.executor);
            Rehearsal rehearsal = new Rehearsal(subject, made.executor, options.policy.minSqnrDb);
            SelfTest found = rehearsal.of(verdict);
            notes.addAll(rehearsal.notes);
            return found;
        } finally {
            options.cancellation.watch(null);
            made.close();
        }
    }

    /** On the CPU, inputs that were drawn may be senseless to the model: that is no fault of the candidate's. */
    private Trial.Timed timed(Candidate candidate, Loaded made, Trial trial) {
        try {
            return trial.time(made.subject.model, made.executor, options.cancellation);
        } catch (EdgeException.Cancelled cancelled) {
            throw cancelled;
        } catch (EdgeException.Model error) {
            if (!trial.cases.isEmpty() || candidate.accelerator != Policy.Accelerator.CPU) {
                throw error;
            }
            return new Trial.Timed();
        }
    }

    /** Within the budget. What is tried begins each run anew, as the reference does, whatever is wanted later. */
    private Loaded load(Candidate candidate, Subject subject, boolean keepState) {
        return load(candidate, subject, subject.model, keepState);
    }

    private Loaded load(Candidate candidate, Subject subject, Model model, boolean keepState) {
        int ticket = options.budget == null ? 0
                : options.budget.take(subject.model.name, subject.need(candidate).totalBytes());
        boolean done = false;
        try {
            // What was made for a self-test alone is not to be found by the next start.
            File cache = model == subject.model ? options.cacheDir : null;
            Engine.Options how = new Engine.Options(options.threads, cache, keepState,
                    options.optionsOf(candidate.name));
            Loaded made = new Loaded(engine.open(model, candidate, how), subject, options.budget, ticket);
            done = true;
            return made;
        } finally {
            if (!done && options.budget != null) {
                options.budget.giveBack(ticket);
            }
        }
    }

    private Trial trial(Candidate candidate, Subject subject) {
        if (!options.policy.selfTest) {
            return Trial.untested(subject.model, "the policy turns the self-test off");
        }
        if (!subject.cases.isEmpty()) {
            return Trial.golden(subject.cases);
        }
        if (candidate.name.equals("cpu")) {
            return Trial.untested(subject.model, "the engine's own kernels are the reference");
        }
        Trial known = trials.get(subject.model.sha256);
        if (known == null) {
            Loaded reference = load(new Candidate("cpu", Policy.Accelerator.CPU), subject, false);
            try {
                known = Trial.seeded(subject.model, reference.executor);
            } finally {
                reference.close();
            }
            trials.put(subject.model.sha256, known);
        }
        return known;
    }

    /** Closes what the policy has turned down, and of several that it admits all but the fastest so far. */
    private void closeLosers(Decision step) {
        Tried best = null;
        for (Map.Entry<String, Tried> one : tried.entrySet()) {
            String reason = step.reasons.get(one.getKey());
            boolean admitted = reason == null || reason.equals("slower");
            if (one.getValue().loaded != null && admitted && (best == null || ms(one.getValue()) < ms(best))) {
                best = one.getValue();
            }
        }
        for (Tried one : tried.values()) {
            if (one.loaded != null && one != best) {
                one.loaded.close();
                one.loaded = null;
            }
        }
    }

    private static double ms(Tried one) {
        return one.facts.runMs == null ? Double.POSITIVE_INFINITY : one.facts.runMs;
    }

    private Map<String, Facts> facts() {
        Map<String, Facts> made = new HashMap<>();
        for (Map.Entry<String, Tried> one : tried.entrySet()) {
            made.put(one.getKey(), one.getValue().facts);
        }
        return made;
    }

    private Candidate named(String name) {
        for (Candidate candidate : candidates) {
            if (candidate.name.equals(name)) {
                return candidate;
            }
        }
        throw new IllegalStateException(name);
    }

    /** What the receipt says of a candidate. */
    private Attempt settled(Candidate candidate, String reason) {
        Tried one = tried.get(candidate.name);
        if (one == null) {
            String why = reason == null ? "not-tried" : reason;
            return new Attempt(candidate, why, words(why, candidate, null), options.threads, null);
        }
        if (one.error != null) {
            return new Attempt(candidate, "unavailable", one.error.line(), options.threads, null);
        }
        return reason == null ? new Attempt(candidate, "chosen", "", options.threads, one.ran)
                : new Attempt(candidate, reason, words(reason, candidate, one.ran), options.threads, one.ran);
    }

    /** The numbers behind a reason. */
    private String words(String reason, Candidate candidate, Attempt.Ran ran) {
        Policy policy = options.policy;
        switch (reason) {
            case "forbidden": return "the policy forbids " + candidate.accelerator.word();
            case "not-required": return "the policy requires another accelerator";
            case "placement-unknown": return "the policy limits placement, and neither engine nor rules tell it";
            case "ops-on-cpu": return "the policy forbids cpu, " + ran.placement;
            case "too-many-partitions":
                return ran.placement + ", the policy allows " + policy.maxPartitions + " partitions";
            case "too-few-macs":
                return ran.placement + String.format(Locale.ROOT, ", the policy asks for %.0f%% of MACs",
                        100 * policy.minMacShare);
            case "wrong-results": return join(ran.selfTest.faults) + ", against " + ran.selfTest.against;
            case "too-slow":
                return Opening.ms(ran.runMs) + " measured, the policy allows " + Opening.ms(policy.maxLatencyMs);
            case "slower": return Opening.ms(ran.runMs) + " measured";
            default: return "an earlier candidate was admitted";
        }
    }

    private static String join(List<?> parts) {
        StringBuilder made = new StringBuilder();
        for (Object part : parts) {
            made.append(made.length() == 0 ? "" : "; ").append(part);
        }
        return made.toString();
    }

    /** One error for all; where the only thing attempted failed, or all failed for want of the same thing, that one. */
    private EdgeException refusal(List<Attempt> attempts) {
        EdgeException last = null;
        int failed = 0;
        boolean same = true;
        for (Tried one : tried.values()) {
            if (one.error != null) {
                same &= last == null || last.getClass() == one.error.getClass();
                last = one.error;
                failed++;
            }
        }
        boolean telling = failed == 1 || same && !(last instanceof EdgeException.DelegateUnavailable);
        if (failed > 0 && failed == attempts.size() && telling) {
            return last;
        }
        return new EdgeException.DelegateUnavailable("the policy admits no way to run it: "
                + (attempts.isEmpty() ? "there is none" : join(attempts)),
                "loosen the policy, name another delegate, or take `auto` to fall back to the CPU");
    }
}
