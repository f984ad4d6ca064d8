package dev.edgesdk.edge;

import java.util.Locale;

import org.json.JSONException;
import org.json.JSONObject;

/** Which part of the main subgraph a delegate took, as the receipt says it; null where nobody knows. */
public final class Placement {
    /** {@code measured}: by the engine after loading; {@code predicted}: by rules, as the bundle carries them. */
    static final String MEASURED = "measured", PREDICTED = "predicted";

    /** Ops of the main subgraph. */
    public final int ops;
    /** How many the delegate took. */
    public final Integer delegated;
    /** Rows of ops that the delegate runs without handing back. */
    public final Integer partitions;
    /** Share of multiply-accumulates, 0 to 1; of ops, where the file has none. */
    public final Double macShare;
    /** Who told the counts. */
    public final String toldBy;
    /** Who told the share. */
    public final String shareToldBy;

    Placement(int ops, Integer delegated, Integer partitions, Double macShare, String toldBy, String shareToldBy) {
        this.ops = ops;
        this.delegated = delegated;
        this.partitions = partitions;
        this.macShare = macShare;
        this.toldBy = toldBy;
        this.shareToldBy = shareToldBy;
    }

    Facts.Placement facts() {
        return new Facts.Placement(delegated, partitions, macShare);
    }

    /** The keys of Python's receipt. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("ops", ops).put("delegated", Json.of(delegated))
                .put("partitions", Json.of(partitions)).put("mac_share", Json.of(macShare))
                .put("told_by", Json.of(toldBy)).put("share_told_by", Json.of(shareToldBy))
                .put("share_is_least", false);
    }

    /** {@code 5 of 6 ops in 2 partitions (measured), 98% of MACs (predicted)}. */
    @Override
    public String toString() {
        String counts = delegated == null ? "which ops it took is not told by the engine"
                : delegated + " of " + ops + " ops" + inPartitions() + " (" + toldBy + ")";
        return macShare == null ? counts
                : counts + String.format(Locale.ROOT, ", %.0f%% of MACs (%s)", 100 * macShare, shareToldBy);
    }

    private String inPartitions() {
        return partitions == null ? "" : " in " + partitions + (partitions == 1 ? " partition" : " partitions");
    }
}
