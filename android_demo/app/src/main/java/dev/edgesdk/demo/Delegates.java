package dev.edgesdk.demo;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** What the delegate picker offers. */
final class Delegates {
    private static final String[][] ALL = {
        {"Auto: the best that works", "auto"},
        {"XNNPACK (CPU)", "xnnpack"},
        {"The engine's own kernels (CPU)", "cpu"},
        {"GPU, float16", "gpu"},
        {"GPU, float32", "gpu", "precision", "float32"},
        {"GPU, float16, sustained speed", "gpu", "preference", "sustained_speed"},
        {"NNAPI (deprecated since Android 15)", "nnapi"},
    };

    /** In words, in order. */
    static final List<String> LABELS = labels();

    private Delegates() { }

    /** As the wrapper calls it. */
    static String name(int place) {
        return ALL[place][1];
    }

    /** As the wrapper takes them. */
    static Map<String, String> options(int place) {
        String[] row = ALL[place];
        return row.length < 4 ? Collections.<String, String>emptyMap() : Collections.singletonMap(row[2], row[3]);
    }

    private static List<String> labels() {
        String[] made = new String[ALL.length];
        for (int place = 0; place < made.length; place++) {
            made[place] = ALL[place][0];
        }
        return Collections.unmodifiableList(Arrays.asList(made));
    }
}
