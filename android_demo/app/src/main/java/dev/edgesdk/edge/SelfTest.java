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

    SelfTest(Facts.SelfTest result, String against, int cases, List<String> faults, String doubt) {
        this.result = result;
        this.against = against;
        this.cases = cases;
        this.faults = Collections.unmodifiableList(faults);
        this.doubt = doubt;
    }

    /** Nothing was compared, and why. */
    static SelfTest none(String why) {
        return new SelfTest(null, why, 0, Collections.<String>emptyList(), "");
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("result", result == null ? JSONObject.NULL : Policy.lower(result))
                .put("against", against).put("cases", cases).put("faults", Json.array(faults)).put("doubt", doubt)
                // What outputs decide between is looked at by Python only.
                .put("decided", "");
    }

    /** {@code verified against the bundle's golden outputs}. */
    @Override
    public String toString() {
        if (result == null) {
            return "not verified: " + against;
        }
        String word = result == Facts.SelfTest.PASSED ? "verified" : "wrong";
        return word + " against " + against + (doubt.isEmpty() ? "" : ", but " + doubt);
    }
}
