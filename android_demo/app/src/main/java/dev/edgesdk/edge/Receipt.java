package dev.edgesdk.edge;

import java.util.List;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** A session's account of itself: what was asked, what runs, why nothing else does, and what changed since. */
public final class Receipt {
    /** Of the wrapper; the same as of the Python package that it equals. */
    public static final String EDGE_SDK = "0.1.0";

    /** What the caller wanted. */
    public final Asked asked;
    /** This one. */
    public final Device device;
    /** Each model that was opened, the latest last. */
    public final List<Opening> openings;
    /** Variant that runs now; null for a bare file. */
    public final String active;
    /** Between variants. */
    public final List<Switch> switches;

    Receipt(Asked asked, Device device, List<Opening> openings, String active, List<Switch> switches) {
        this.asked = asked;
        this.device = device;
        this.openings = openings;
        this.active = active;
        this.switches = switches;
    }

    /** Of the model that runs now. */
    public Opening opening() {
        for (int index = openings.size() - 1; index >= 0; index--) {
            if (java.util.Objects.equals(openings.get(index).variant, active)) {
                return openings.get(index);
            }
        }
        throw new IllegalStateException("no opening of " + active);
    }

    /** In one line: what runs, and why nothing else does. */
    public String line() {
        String changes = switches.isEmpty() ? ""
                : "; " + switches.size() + " switches, the last: " + switches.get(switches.size() - 1).why;
        return opening().line() + changes;
    }

    /** Plain data, with the keys of Python's receipt. */
    public JSONObject toJson() {
        try {
            JSONArray opened = new JSONArray();
            for (Opening opening : openings) {
                opened.put(opening.toJson());
            }
            JSONArray changes = new JSONArray();
            for (Switch change : switches) {
                changes.put(change.toJson());
            }
            return new JSONObject().put("asked", asked.toJson()).put("device", device.toJson()).put("openings", opened)
                    .put("active", Json.of(active)).put("switches", changes).put("edge_sdk", EDGE_SDK);
        } catch (JSONException error) {
            throw Json.impossible(error);
        }
    }

    /** What the caller wanted. */
    public static final class Asked {
        private final String model;
        private final List<String> delegates;
        private final String engine;
        private final SessionOptions options;

        Asked(String model, List<String> delegates, String engine, SessionOptions options) {
            this.model = model;
            this.delegates = delegates;
            this.engine = engine;
            this.options = options;
        }

        JSONObject toJson() throws JSONException {
            return new JSONObject().put("model", model).put("delegates", Json.array(delegates))
                    .put("profile", options.profile == null ? "this machine" : options.profile)
                    .put("policy", options.policy.toJson()).put("engine", engine).put("threads", options.threads)
                    .put("variants", Json.array(options.variants));
        }
    }

    /** Another variant took over. */
    public static final class Switch {
        private final int run;
        private final String variant;
        private final String previous;
        /** With numbers, all measured here. */
        public final String why;

        Switch(int run, String variant, String previous, String why) {
            this.run = run;
            this.variant = variant;
            this.previous = previous;
            this.why = why;
        }

        JSONObject toJson() throws JSONException {
            return new JSONObject().put("run", run).put("variant", variant).put("previous", previous).put("why", why);
        }
    }
}
