package dev.edgesdk.edge;

import java.util.Locale;

import org.json.JSONException;
import org.json.JSONObject;

/** Bytes that opening and running a model takes at least: predicted, nothing is run. */
public final class Need {
    private static final double MIB = 1 << 20;

    /** What TFLite plans for values and scratch; of a bare file values alone, those that are alive at once. */
    public final long arenaBytes;
    /** Weights in XNNPACK's own order, which lie beside those of the file. */
    public final long packedBytes;
    /** Of the file, where it is not mapped; here it always is. */
    public final long copiedBytes;
    /** Inputs and outputs of the self-test, where it draws them. */
    public final long trialBytes;

    Need(long arenaBytes, long packedBytes, long trialBytes) {
        this.arenaBytes = arenaBytes;
        this.packedBytes = packedBytes;
        this.copiedBytes = 0;
        this.trialBytes = trialBytes;
    }

    /** All of it. */
    public long totalBytes() {
        return arenaBytes + packedBytes + copiedBytes + trialBytes;
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("arena_bytes", arenaBytes).put("packed_bytes", packedBytes)
                .put("copied_bytes", copiedBytes).put("trial_bytes", trialBytes).put("total_bytes", totalBytes());
    }

    /** Its parts in words. */
    String parts() {
        return "arena " + mib(arenaBytes) + ", packed weights " + mib(packedBytes) + ", self-test " + mib(trialBytes);
    }

    static String mib(long bytes) {
        return String.format(Locale.ROOT, "%.1f MiB", bytes / MIB);
    }
}
