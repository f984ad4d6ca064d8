package dev.edgesdk.demo;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

import org.json.JSONException;
import org.json.JSONObject;

import android.app.ActivityManager;
import android.content.Context;
import android.content.Intent;
import android.content.IntentFilter;
import android.os.BatteryManager;
import android.os.Build;
import android.os.PowerManager;
import android.system.Os;
import android.system.OsConstants;

/** What Android tells of this device: what it is, and how it fares while something is timed. */
final class DeviceWatch {
    private final Context context;
    private final PowerManager power;

    DeviceWatch(Context context) {
        this.context = context;
        this.power = (PowerManager) context.getSystemService(Context.POWER_SERVICE);
    }

    /** {@code environment_info} of a result. */
    JSONObject environment() {
        try {
            JSONObject made = new JSONObject().put("platform", "android")
                    .put("os_version", Build.VERSION.RELEASE + " (API " + Build.VERSION.SDK_INT + ")")
                    .put("model_name", Build.MODEL).put("manufacturer", Build.MANUFACTURER)
                    .put("model_code", Build.DEVICE).put("board_code", Build.BOARD)
                    .put("arch", Build.SUPPORTED_ABIS.length == 0 ? "unknown" : Build.SUPPORTED_ABIS[0])
                    .put("cpus", Runtime.getRuntime().availableProcessors())
                    .put("total_memory_bytes", memory().totalMem).put("props", properties());
            String hardware = field("/proc/cpuinfo", "Hardware");
            return hardware == null ? made : made.put("proc_cpuinfo_soc_name", hardware);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    /** One look; what this Android version does not tell is left out. */
    JSONObject look(double atSeconds) {
        try {
            JSONObject made = new JSONObject().put("at_s", Math.round(1e3 * atSeconds) / 1e3)
                    .put("power_save", power.isPowerSaveMode());
            if (Build.VERSION.SDK_INT >= 29) {
                made.put("thermal_status", power.getCurrentThermalStatus());
            }
            if (Build.VERSION.SDK_INT >= 30) {
                float headroom = power.getThermalHeadroom(0);
                // Not a number where the device has no such sensor, or was asked too often.
                if (!Float.isNaN(headroom)) {
                    made.put("thermal_headroom", (double) headroom);
                }
            }
            putBattery(made);
            JSONObject clocks = clocks();
            return clocks.length() == 0 ? made : made.put("cpu_mhz", clocks);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    /** What no rule could watch, by a look at it. */
    List<String> notSeen(JSONObject look) {
        List<String> made = new ArrayList<>();
        if (!look.has("thermal_status")) {
            made.add("thermal status (Android 10 and later tell it)");
        }
        if (!look.has("thermal_headroom")) {
            made.add("thermal headroom");
        }
        if (!look.has("cpu_mhz")) {
            made.add("the clock of the CPUs (this Android hides it from apps)");
        }
        made.add("time that other programs took");
        return made;
    }

    /** {@code memory} of a result: the most that the process held, app and all. */
    JSONObject memoryUsed() {
        String peak = field("/proc/self/status", "VmHWM");
        try {
            return peak == null ? null : new JSONObject().put("peak_rss_bytes", kibibytes(peak));
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    private JSONObject properties() throws JSONException {
        JSONObject made = new JSONObject().put("ro.build.version.sdk", String.valueOf(Build.VERSION.SDK_INT))
                .put("ro.build.fingerprint", Build.FINGERPRINT).put("ro.hardware", Build.HARDWARE);
        long page = Os.sysconf(OsConstants._SC_PAGESIZE);
        if (page > 0) {
            made.put("page_size_bytes", String.valueOf(page));
        }
        if (Build.VERSION.SDK_INT >= 31) {
            made.put("ro.soc.model", Build.SOC_MODEL).put("ro.soc.manufacturer", Build.SOC_MANUFACTURER);
        }
        return made;
    }

    private void putBattery(JSONObject made) throws JSONException {
        Intent battery = context.registerReceiver(null, new IntentFilter(Intent.ACTION_BATTERY_CHANGED));
        if (battery == null) {
            return;
        }
        int level = battery.getIntExtra(BatteryManager.EXTRA_LEVEL, -1);
        int scale = battery.getIntExtra(BatteryManager.EXTRA_SCALE, -1);
        if (level >= 0 && scale > 0) {
            made.put("battery_percent", 100.0 * level / scale);
        }
        made.put("plugged", battery.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0) != 0);
        if (battery.hasExtra(BatteryManager.EXTRA_TEMPERATURE)) {
            double degrees = battery.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, 0) / 10.0;
            made.put("temperature_c", new JSONObject().put("battery", degrees));
        }
    }

    private static JSONObject clocks() throws JSONException {
        JSONObject made = new JSONObject();
        for (int cpu = 0; new File("/sys/devices/system/cpu/cpu" + cpu).exists(); cpu++) {
            String text = firstLine("/sys/devices/system/cpu/cpu" + cpu + "/cpufreq/scaling_cur_freq");
            if (text != null && text.matches("\\d{1,9}")) {
                made.put(String.valueOf(cpu), Integer.parseInt(text) / 1000);
            }
        }
        return made;
    }

    private ActivityManager.MemoryInfo memory() {
        ActivityManager.MemoryInfo made = new ActivityManager.MemoryInfo();
        ((ActivityManager) context.getSystemService(Context.ACTIVITY_SERVICE)).getMemoryInfo(made);
        return made;
    }

    private static long kibibytes(String text) {
        return 1024 * Long.parseLong(text.toLowerCase(Locale.ROOT).replace("kb", "").trim());
    }

    private static String firstLine(String path) {
        return scan(path, null);
    }

    private static String field(String path, String name) {
        return scan(path, name);
    }

    /** The first line, or what follows {@code name:}; null where it cannot be read, which some systems forbid. */
    private static String scan(String path, String name) {
        try (BufferedReader reader = new BufferedReader(
                new InputStreamReader(new FileInputStream(path), StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (name == null) {
                    return line.trim();
                }
                int colon = line.indexOf(':');
                if (colon > 0 && line.substring(0, colon).trim().equals(name)) {
                    return line.substring(colon + 1).trim();
                }
            }
        } catch (IOException unreadable) {
            return null;
        }
        return null;
    }
}
