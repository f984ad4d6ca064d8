package dev.edgesdk.edge;

import java.util.Collections;
import java.util.List;

import java.util.Locale;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** One model opened: the attempt that was chosen, and every candidate's fate in order. */
public final class Opening {
    /** Its name. */
    public final String model;
    /** Of a bundle; null for a bare file. */
    public final String variant;
    /** Of the model. */
    public final String sha256;
    /** What runs. */
    public final Attempt chosen;
    /** All candidates, the chosen one among them. */
    public final List<Attempt> attempts;
    /** Predicted memory. */
    public final Need need;

    Opening(String model, String variant, String sha256, Attempt chosen, List<Attempt> attempts, Need need) {
        this.model = model;
        this.variant = variant;
        this.sha256 = sha256;
        this.chosen = chosen;
        this.attempts = Collections.unmodifiableList(attempts);
        this.need = need;
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        JSONArray all = new JSONArray();
        for (Attempt attempt : attempts) {
            all.put(attempt.toJson());
        }
        return new JSONObject().put("model", model).put("variant", Json.of(variant)).put("sha256", sha256)
                .put("chosen", chosen.toJson()).put("attempts", all).put("need", need.toJson())
                // Several are Python's: a session here is one interpreter.
                .put("replicas", 1);
    }

    /** What runs, and why nothing else does, in one line. */
    public String line() {
        Attempt.Ran ran = chosen.ran;
        StringBuilder words = new StringBuilder(model + ", sha256 " + sha256.substring(0, 12) + ": "
                + chosen.candidate.name + " on " + chosen.candidate.accelerator.word() + "; " + ran.engine);
        if (!chosen.candidate.name.equals("cpu")) {
            words.append("; ").append(ran.placement);
        }
        words.append("; ").append(ran.selfTest).append("; init ").append(ms(ran.initMs)).append(", first run ")
                .append(ms(ran.firstRunMs)).append(", then ").append(ms(ran.runMs));
        for (String note : ran.notes) {
            words.append("; ").append(note);
        }
        for (Attempt attempt : attempts) {
            if (attempt != chosen) {
                words.append("; ").append(attempt);
            }
        }
        return words.toString();
    }

    static String ms(Double value) {
        return value == null ? "not timed" : String.format(Locale.ROOT, value < 1 ? "%.3f ms" : "%.2f ms", value);
    }
}
