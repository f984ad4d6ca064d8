package dev.edgesdk.bench;

import java.util.List;
import java.util.Map;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

import dev.edgesdk.edge.Attempt;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Opening;
import dev.edgesdk.edge.Placement;

/**
 * A result file: {@code edge_sdk/measure/schema.json}, the same that {@code edge-sdk benchmark} writes. What is not known
 * is left out, never 0 or null. The one place where its names are.
 */
public final class ResultJson {
    /** Of result files. */
    public static final String SCHEMA = "edge-sdk-benchmark/1";
    /** Of files that say why there is no result. */
    public static final String ERROR_SCHEMA = "edge-sdk-benchmark-error/1";
    private static final int LONGEST_TRACE = 4096;
    private static final double[] SHARES = {0.5, 0.9, 0.99};

    private ResultJson() { }

    /** What a result tells beside the timed queries. */
    public static final class Context {
        /** The caller's name for the run. */
        public String runId;
        /** ISO 8601 with offset. */
        public String startedAt;
        /** Likewise. */
        public String endedAt;
        /** {@code build_info}. */
        public String app;
        /** Likewise. */
        public String version;
        /** {@code environment_info}. */
        public JSONObject environment;
        /** As the user named it. */
        public String modelPath;
        /** Of the .tflite that ran. */
        public long modelBytes;
        /** First extent of the first input. */
        public int batch;
        /** {@code auto}, or its name. */
        public String delegate;
        /** On the CPU. */
        public int threads;
        /** What else was set. */
        public Map<String, String> extra;
        /** {@code memory}, or null. */
        public JSONObject memory;
        /** What makes the result INVALID: rule and message each. */
        public List<String[]> reasons;
        /** What this system does not tell. */
        public List<String> notSeen;
        /** What does no harm to the numbers. */
        public List<String> notes;
    }

    /** The whole file. */
    public static JSONObject of(Context context, Plan plan, Opening opening, Timing.Taken taken) {
        try {
            JSONObject conditions = new JSONObject().put("before", taken.looks.get(0))
                    .put("during", new JSONArray(taken.looks.subList(1, taken.looks.size() - 1)))
                    .put("after", taken.looks.get(taken.looks.size() - 1))
                    .put("not_seen", new JSONArray(context.notSeen)).put("notes", new JSONArray(context.notes));
            return new JSONObject().put("schema", SCHEMA)
                    .put("meta", new JSONObject().put("uuid", context.runId).put("creation_date", context.endedAt)
                            .put("run_mode", plan.mode))
                    .put("build_info", new JSONObject().put("app", context.app).put("version", context.version)
                            .put("kind", "android-app"))
                    .put("environment_info", context.environment)
                    .put("results", new JSONArray().put(result(context, plan, opening, taken)))
                    .put("conditions", conditions);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Why there is no result. */
    public static JSONObject error(String runId, EdgeException error) {
        try {
            return error.toJson().put("schema", ERROR_SCHEMA).put("run_id", runId);
        } catch (JSONException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static JSONObject result(Context context, Plan plan, Opening opening, Timing.Taken taken)
            throws JSONException {
        Statistics figures = new Statistics(taken.ms);
        Attempt.Ran ran = opening.chosen.ran;
        JSONObject made = new JSONObject().put("benchmark_id", "1").put("benchmark_name", opening.model)
                .put("loadgen_scenario", "SingleStream").put("backend_settings", settings(context, opening))
                .put("backend_info", backend(opening)).put("warm_up", warmUp(taken.warmUp))
                .put("performance_run", performance(context, plan, taken, figures))
                .put("validity", validity(context.reasons)).put("min_duration", plan.seconds)
                .put("min_samples", plan.runs).put("init_ms", ran.initMs);
        putKnown(made, "first_run_ms", ran.firstRunMs);
        putKnown(made, "memory", context.memory);
        return made;
    }

    private static JSONObject settings(Context context, Opening opening) throws JSONException {
        JSONObject made = new JSONObject().put("accelerator_code", opening.chosen.candidate.accelerator.word())
                .put("delegate", context.delegate).put("framework", "TFLite").put("model_path", context.modelPath)
                .put("model_sha256", opening.sha256).put("model_bytes", context.modelBytes)
                .put("batch_size", context.batch).put("threads", context.threads);
        putKnown(made, "variant", opening.variant);
        putKnown(made, "extra_settings", context.extra.isEmpty() ? null : new JSONObject(context.extra));
        return made;
    }

    private static JSONObject backend(Opening opening) throws JSONException {
        Attempt.Ran ran = opening.chosen.ran;
        Placement placement = ran.placement;
        JSONObject made = new JSONObject().put("backend_name", ran.engine)
                .put("delegate_name", opening.chosen.candidate.name)
                .put("accelerator_name", opening.chosen.candidate.accelerator.word())
                .put("self_test", ran.selfTest.toString()).put("notes", new JSONArray(ran.notes));
        if (placement != null) {
            made.put("ops", placement.ops);
            putKnown(made, "delegated_ops", placement.delegated);
            putKnown(made, "partitions", placement.partitions);
            putKnown(made, "delegated_mac_share", placement.macShare);
            putKnown(made, "delegated_told_by", placement.toldBy);
        }
        return made;
    }

    private static JSONObject warmUp(Timing.WarmUp warmUp) throws JSONException {
        return new JSONObject().put("detected", warmUp.detected).put("queries", warmUp.queries)
                .put("duration_ms", warmUp.durationMs).put("why", warmUp.why);
    }

    private static JSONObject performance(Context context, Plan plan, Timing.Taken taken, Statistics figures)
            throws JSONException {
        double seconds = figures.sum() / 1e3;
        double spanned = taken.atSeconds[figures.count() - 1] + taken.ms[figures.count() - 1] / 1e3;
        JSONObject loadgen = new JSONObject().put("query_count", figures.count())
                .put("latency_mean", figures.mean() / 1e3).put("is_min_duration_met", spanned >= plan.seconds)
                .put("is_min_query_met", figures.count() >= plan.runs)
                .put("is_result_valid", context.reasons.isEmpty());
        if (figures.count() >= 10) {
            loadgen.put("latency_90", figures.quantile(0.9) / 1e3);
        }
        int stride = (figures.count() + LONGEST_TRACE - 1) / LONGEST_TRACE;
        return new JSONObject().put("start_datetime", context.startedAt).put("measured_duration", seconds)
                .put("measured_samples", figures.count())
                .put("throughput", new JSONObject().put("value", figures.count() / seconds))
                .put("loadgen_info", loadgen).put("latency_ms", latency(figures)).put("overhead_us", taken.overheadUs)
                .put("trace_stride", stride).put("trace_ms", every(taken.ms, stride))
                .put("trace_at_s", every(taken.atSeconds, stride));
    }

    private static JSONObject latency(Statistics figures) throws JSONException {
        double[][] intervals = figures.intervals(SHARES);
        JSONObject made = new JSONObject().put("min", figures.min()).put("max", figures.max())
                .put("stddev", figures.deviation())
                .put("mean", figure(figures.mean(), intervals == null ? null : intervals[SHARES.length]));
        for (int index = 0; index < SHARES.length; index++) {
            // A percentile of fewer samples than lie beyond it would be the largest one by another name.
            if (index == 0 || figures.count() >= Math.round(1 / (1 - SHARES[index]))) {
                String name = "p" + Math.round(100 * SHARES[index]);
                made.put(name, figure(figures.quantile(SHARES[index]), intervals == null ? null : intervals[index]));
            }
        }
        return made;
    }

    private static JSONObject figure(double value, double[] interval) throws JSONException {
        JSONObject made = new JSONObject().put("value", value);
        return interval == null ? made : made.put("low", interval[0]).put("high", interval[1]);
    }

    private static JSONObject validity(List<String[]> reasons) throws JSONException {
        JSONArray all = new JSONArray();
        for (String[] reason : reasons) {
            all.put(new JSONObject().put("rule", reason[0]).put("message", reason[1]));
        }
        return new JSONObject().put("valid", reasons.isEmpty()).put("reasons", all);
    }

    private static JSONArray every(double[] values, int stride) throws JSONException {
        JSONArray made = new JSONArray();
        for (int index = 0; index < values.length; index += stride) {
            made.put(values[index]);
        }
        return made;
    }

    private static void putKnown(JSONObject made, String name, Object value) throws JSONException {
        if (value != null) {
            made.put(name, value);
        }
    }
}
