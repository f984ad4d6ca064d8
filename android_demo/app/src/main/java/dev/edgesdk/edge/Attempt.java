package dev.edgesdk.edge;

import java.util.Collections;
import java.util.List;

import org.json.JSONException;
import org.json.JSONObject;

/** One candidate: how it went. Times are measured, null for what did not happen. */
public final class Attempt {
    /** Of the delegate. */
    public final Candidate candidate;
    /** {@code chosen}, or a reason of POLICY.md. */
    public final String outcome;
    /** The numbers behind it. */
    public final String detail;
    /** CPU threads that it was opened with. */
    public final int threads;
    /** What it ran, and how; null where it did not come to that. */
    public final Ran ran;

    Attempt(Candidate candidate, String outcome, String detail, int threads, Ran ran) {
        this.candidate = candidate;
        this.outcome = outcome;
        this.detail = detail;
        this.threads = threads;
        this.ran = ran;
    }

    /** What an attempt that ran showed. */
    public static final class Ran {
        /** Of the bundle; null of a bare file. */
        public final String variant;
        /** Name and version. */
        public final String engine;
        /** Where the ops went. */
        public final Placement placement;
        /** Whether it computes right. */
        public final SelfTest selfTest;
        /** Until it could run. */
        public final double initMs;
        /** The first run that this executor ever did; null where none was made. */
        public final Double firstRunMs;
        /** Median of the timed runs; null likewise. */
        public final Double runMs;
        /** A sentence each. */
        public final List<String> notes;

        Ran(String variant, String engine, Placement placement, SelfTest selfTest, double initMs, Double firstRunMs,
                Double runMs, List<String> notes) {
            this.variant = variant;
            this.engine = engine;
            this.placement = placement;
            this.selfTest = selfTest;
            this.initMs = initMs;
            this.firstRunMs = firstRunMs;
            this.runMs = runMs;
            this.notes = notes;
        }
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        List<String> notes = ran == null ? Collections.<String>emptyList() : ran.notes;
        return new JSONObject().put("candidate", candidate.name).put("accelerator", candidate.accelerator.word())
                .put("outcome", outcome).put("detail", detail)
                .put("variant", Json.of(ran == null ? null : ran.variant))
                .put("engine", Json.of(ran == null ? null : ran.engine))
                .put("placement", ran == null ? JSONObject.NULL : ran.placement.toJson())
                .put("self_test", ran == null ? JSONObject.NULL : ran.selfTest.toJson())
                .put("init_ms", Json.of(ran == null ? null : ran.initMs))
                .put("first_run_ms", Json.of(ran == null ? null : ran.firstRunMs))
                .put("run_ms", Json.of(ran == null ? null : ran.runMs)).put("notes", Json.array(notes))
                .put("threads", threads);
    }

    /** {@code gpu unavailable: ...}. */
    @Override
    public String toString() {
        return candidate.name + " " + outcome + (detail.isEmpty() ? "" : ": " + detail);
    }
}
