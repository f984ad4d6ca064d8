package dev.edgesdk.tflite;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

import dev.edgesdk.edge.EdgeException;

/** A delegate's options as the user gave them, read strictly. */
final class Settings {
    private final String delegate;
    private final Map<String, String> given;

    /** Only these keys are known. */
    Settings(String delegate, Map<String, String> given, String... known) {
        this.delegate = delegate;
        this.given = given;
        List<String> keys = Arrays.asList(known);
        for (String key : given.keySet()) {
            if (!keys.contains(key)) {
                throw new EdgeException.Policy(delegate + ": unknown option `" + key + "`",
                        keys.isEmpty() ? "it has none" : "one of " + keys);
            }
        }
    }

    static void none(String delegate, Map<String, String> given) {
        new Settings(delegate, given).text("");
    }

    /** As given, or null. */
    String text(String key) {
        return given.get(key);
    }

    /** The place of the value among those allowed, or -1 where none is given. */
    int oneOf(String key, String... allowed) {
        String value = given.get(key);
        int place = Arrays.asList(allowed).indexOf(value);
        if (value != null && place < 0) {
            throw new EdgeException.Policy(delegate + ": option " + key + ": expected one of " + Arrays.toString(allowed)
                    + ", got `" + value + "`", null);
        }
        return place;
    }
}
