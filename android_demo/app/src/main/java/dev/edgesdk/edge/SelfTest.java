package dev.edgesdk.edge;

import java.util.Collections;
import java.util.List;

import org.json.JSONException;
import org.json.JSONObject;

/** Outputs against a reference. */
public final class SelfTest {
    /** Null where there was nothing to compare with, or nobody wanted it. */
    public final Facts.SelfTest result;
    /** The reference in words. */
    public final String against;
    /** How many runs were compared. */
    public final int cases;
    /** Outputs that were off: measured, and the limit. */
    public final List<String> faults;
    /** What weakens the verdict; empty if nothing does. */
    public final String doubt;
    /** The ops before which values were compared, where outputs differ by what these decide between; else empty. */
    public final String decided;

    SelfTest(Facts.SelfTest result, String against, int cases, List<String> faults, String doubt) {
        this(result, against, cases, faults, doubt, "");
    }

    private SelfTest(Facts.SelfTest result, String against, int cases, List<String> faults, String doubt, String decided) {
        this.result = result;
        this.against = against;
        this.cases = cases;
        this.faults = Collections.unmodifiableList(faults);
        this.doubt = doubt;
        this.decided = decided;
    }

    /** The same, of values right before these ops. */
    SelfTest decided(String ops) {
        return new SelfTest(result, against, cases, faults, doubt, ops);
    }

    /** Nothing was compared, and why. */
    static SelfTest none(String why) {
        return new SelfTest(null, why, 0, Collections.<String>emptyList(), "");
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("result", result == null ? JSONObject.NULL : Policy.lower(result))
                .put("against", against).put("cases", cases).put("faults", Json.array(faults)).put("doubt", doubt)
                .put("decided", decided);
    }

    /** {@code verified against the bundle's golden outputs}. */
    @Override
    public String toString() {
        if (result == null) {
            return "not verified: " + against;
        }
        String word = result == Facts.SelfTest.PASSED ? "verified" : "wrong";
        String before = decided.isEmpty() ? "" : " right before " + decided
                + ", which decides between values that hardly differ";
        return word + " against " + against + before + (doubt.isEmpty() ? "" : ", but " + doubt);
    }
}
