package dev.edgesdk.bench;

import java.util.Locale;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** A result in words. */
public final class ResultText {
    private ResultText() { }

    /** One line for a list: date, model, delegate, median, whether it can be believed. */
    public static String line(JSONObject file) {
        try {
            JSONObject result = file.getJSONArray("results").getJSONObject(0);
            JSONObject latency = result.getJSONObject("performance_run").getJSONObject("latency_ms");
            boolean valid = result.getJSONObject("validity").getBoolean("valid");
            return String.format(Locale.ROOT, "%s: %s, %s threads: p50 %s, %s", result.getString("benchmark_name"),
                    result.getJSONObject("backend_info").getString("delegate_name"),
                    result.getJSONObject("backend_settings").get("threads"), ms(latency.getJSONObject("p50")),
                    valid ? "valid" : "INVALID");
        } catch (JSONException error) {
            return "not a result: " + error.getMessage();
        }
    }

    /** All that a person wants to see. */
    public static String of(JSONObject file) {
        try {
            return text(file);
        } catch (JSONException error) {
            return "not a result: " + error.getMessage();
        }
    }

    private static String text(JSONObject file) throws JSONException {
        JSONObject result = file.getJSONArray("results").getJSONObject(0);
        JSONObject run = result.getJSONObject("performance_run");
        JSONObject latency = run.getJSONObject("latency_ms");
        JSONObject info = result.getJSONObject("backend_info");
        StringBuilder made = new StringBuilder(line(file)).append("\n\nMeasured on ")
                .append(file.getJSONObject("environment_info").getString("model_name")).append(", ")
                .append(file.getJSONObject("meta").getString("run_mode")).append(" run of ")
                .append(run.getInt("measured_samples")).append(" queries:\n");
        for (String name : new String[] {"p50", "p90", "p99", "mean"}) {
            if (latency.has(name)) {
                made.append(name).append(' ').append(ms(latency.getJSONObject(name))).append('\n');
            }
        }
        made.append("min ").append(ms(latency.getDouble("min"))).append(", max ").append(ms(latency.getDouble("max")))
                .append("\ninit ").append(ms(result.getDouble("init_ms")));
        if (result.has("first_run_ms")) {
            made.append(", first run ").append(ms(result.getDouble("first_run_ms")));
        }
        made.append("\nwarm-up: ").append(result.getJSONObject("warm_up").getInt("queries")).append(" queries, ")
                .append(result.getJSONObject("warm_up").getString("why")).append("\noutputs: ")
                .append(info.optString("self_test", "not verified"));
        if (result.has("memory")) {
            long peak = result.getJSONObject("memory").getLong("peak_rss_bytes");
            made.append(String.format(Locale.ROOT, "%nmemory of the app at most %.1f MiB", peak / 1048576.0));
        }
        made.append('\n').append(conditions(file.getJSONObject("conditions")));
        JSONArray reasons = result.getJSONObject("validity").getJSONArray("reasons");
        for (int index = 0; index < reasons.length(); index++) {
            made.append("\nINVALID: ").append(reasons.getJSONObject(index).getString("message"));
        }
        return made.toString();
    }

    private static String conditions(JSONObject conditions) throws JSONException {
        JSONObject before = conditions.getJSONObject("before");
        JSONObject after = conditions.getJSONObject("after");
        return "thermal status " + pair(before, after, "thermal_status") + ", headroom "
                + pair(before, after, "thermal_headroom") + ", power save "
                + (after.optBoolean("power_save") ? "on" : "off");
    }

    private static String pair(JSONObject before, JSONObject after, String name) {
        return before.opt(name) == null && after.opt(name) == null ? "not told"
                : word(before.opt(name)) + " before, " + word(after.opt(name)) + " after";
    }

    private static String word(Object value) {
        return value == null ? "not told"
                : value instanceof Double ? String.format(Locale.ROOT, "%.2f", value) : value.toString();
    }

    private static String ms(JSONObject figure) throws JSONException {
        String value = ms(figure.getDouble("value"));
        return figure.has("low") ? value + String.format(Locale.ROOT, " (%.3f to %.3f)", figure.getDouble("low"),
                figure.getDouble("high")) : value;
    }

    private static String ms(double value) {
        return String.format(Locale.ROOT, value < 1 ? "%.4f ms" : "%.3f ms", value);
    }
}
