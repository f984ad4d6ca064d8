package dev.edgesdk.edge;

import org.json.JSONException;
import org.json.JSONObject;

/** Where it ran: the receipt's {@code device}. */
public final class Device {
    /** Such as {@code Google Pixel 8}. */
    public final String name;
    /** Such as {@code arm64-v8a}. */
    public final String arch;
    /** Such as {@code Android 15 (API 35)}. */
    public final String system;
    /** Cores that this process may use. */
    public final int cpus;

    /** None of them is null. */
    public Device(String name, String arch, String system, int cpus) {
        this.name = name;
        this.arch = arch;
        this.system = system;
        this.cpus = cpus;
    }

    /** What Java knows of it. */
    public static Device thisDevice() {
        String system = System.getProperty("os.name") + " " + System.getProperty("os.version");
        return new Device("unknown", System.getProperty("os.arch"), system, Runtime.getRuntime().availableProcessors());
    }

    /** The keys of Python's receipt; {@code python} is null here. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("name", name).put("arch", arch).put("system", system).put("cpus", cpus)
                .put("python", JSONObject.NULL);
    }
}
