package dev.edgesdk.bench;

import java.util.ArrayList;
import java.util.List;

import org.json.JSONObject;

/** What keeps a result from being believed. */
public final class Validity {
    /** Android's THERMAL_STATUS_MODERATE: from here on the system throttles. */
    private static final int THROTTLED = 2;

    private Validity() { }

    /** A rule and a message each; none for a valid result. */
    public static List<String[]> reasons(Plan plan, Timing.Taken taken, boolean leftForeground) {
        List<String[]> found = new ArrayList<>();
        if (taken.stopped) {
            found.add(new String[] {"stopped", "stopped after " + taken.ms.length + " queries of " + plan.runs});
        }
        if (leftForeground) {
            found.add(new String[] {"left-foreground",
                "the app was not in the foreground all the time: Android gives it slower cores then"});
        }
        if (plan.warmUp == Plan.UNTIL_STEADY && !taken.warmUp.detected) {
            found.add(new String[] {"not-steady", taken.warmUp.why});
        }
        int hottest = 0;
        boolean saving = false;
        for (JSONObject look : taken.looks) {
            hottest = Math.max(hottest, look.optInt("thermal_status", 0));
            saving |= look.optBoolean("power_save", false);
        }
        if (hottest >= THROTTLED) {
            found.add(new String[] {"throttled",
                "Android reported thermal status " + hottest + ", expected less than " + THROTTLED});
        }
        if (saving) {
            found.add(new String[] {"power-save", "power save was on, which lowers clocks"});
        }
        return found;
    }
}
