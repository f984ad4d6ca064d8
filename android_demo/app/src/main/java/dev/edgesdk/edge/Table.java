package dev.edgesdk.edge;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A JSON object that is read key by key: unknown and missing keys and other types are errors that say where. */
final class Table {
    private static final int SHOWN = 80;

    private final Map<?, ?> values;
    final String where;

    /** What a whole object holds; {@code keys} are all that it has and must have. */
    Table(Object value, String where, String... keys) {
        this.where = where;
        if (!(value instanceof Map)) {
            throw fault(where, "expected an object, got " + kind(value));
        }
        values = (Map<?, ?>) value;
        List<String> known = Arrays.asList(keys);
        for (Object key : values.keySet()) {
            if (!known.contains(key)) {
                throw fault(where, "unknown key `" + cut((String) key) + "`");
            }
        }
        for (String key : keys) {
            if (!values.containsKey(key)) {
                throw fault(where, "`" + key + "` is missing");
            }
        }
    }

    Object raw(String key) {
        return values.get(key);
    }

    String text(String key) {
        return text(values.get(key), path(key));
    }

    /** Text, or null. */
    String textOrNull(String key) {
        return values.get(key) == null ? null : text(key);
    }

    String oneOf(String key, String... allowed) {
        String found = text(key);
        if (!Arrays.asList(allowed).contains(found)) {
            throw fault(path(key), "expected one of " + Arrays.toString(allowed) + ", got `" + cut(found) + "`");
        }
        return found;
    }

    boolean flag(String key) {
        if (!(values.get(key) instanceof Boolean)) {
            throw fault(path(key), "expected true or false, got " + kind(values.get(key)));
        }
        return (Boolean) values.get(key);
    }

    long whole(String key) {
        return whole(values.get(key), path(key));
    }

    /** Refuses a table whose values are not whole numbers. */
    void checkWholes(String key) {
        for (Object value : map(key).values()) {
            whole(value, path(key));
        }
    }

    /** A whole number within what an int holds. */
    int small(String key) {
        return small(values.get(key), path(key));
    }

    /** A number as a double; a whole one is one, too. */
    double number(String key) {
        return number(values.get(key), path(key));
    }

    List<Object> list(String key) {
        return list(values.get(key), path(key));
    }

    List<String> texts(String key) {
        List<String> made = new ArrayList<>();
        for (Object one : list(key)) {
            made.add(text(one, path(key)));
        }
        return made;
    }

    double[] numbers(String key) {
        List<Object> found = list(key);
        double[] made = new double[found.size()];
        for (int index = 0; index < made.length; index++) {
            made[index] = number(found.get(index), path(key));
        }
        return made;
    }

    int[] extents(String key) {
        List<Object> found = list(key);
        int[] made = new int[found.size()];
        for (int index = 0; index < made.length; index++) {
            made[index] = small(found.get(index), path(key));
        }
        return made;
    }

    /** Names to text. */
    Map<String, String> named(String key) {
        Map<String, String> made = new LinkedHashMap<>();
        for (Map.Entry<?, ?> one : map(key).entrySet()) {
            made.put((String) one.getKey(), text(one.getValue(), path(key)));
        }
        return made;
    }

    Map<?, ?> map(String key) {
        if (!(values.get(key) instanceof Map)) {
            throw fault(path(key), "expected an object, got " + kind(values.get(key)));
        }
        return (Map<?, ?>) values.get(key);
    }

    String path(String key) {
        return where.isEmpty() ? key : where + "." + key;
    }

    static EdgeException.BundleFormat fault(String where, String what) {
        return new EdgeException.BundleFormat("manifest.json: " + (where.isEmpty() ? "" : where + ": ") + what,
                "the bundle was not made by edge-sdk, or damaged: make or copy it again");
    }

    static String cut(String text) {
        return text.length() > SHOWN ? text.substring(0, SHOWN) : text;
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Object value, String where) {
        if (!(value instanceof List)) {
            throw fault(where, "expected a list, got " + kind(value));
        }
        return (List<Object>) value;
    }

    private static String text(Object value, String where) {
        if (!(value instanceof String)) {
            throw fault(where, "expected text, got " + kind(value));
        }
        return (String) value;
    }

    private static long whole(Object value, String where) {
        if (value instanceof BigInteger && ((BigInteger) value).bitLength() < Long.SIZE) {
            return ((BigInteger) value).longValue();
        }
        if (!(value instanceof Long)) {
            throw fault(where, "expected a whole number, got " + kind(value));
        }
        return (Long) value;
    }

    private static int small(Object value, String where) {
        long found = whole(value, where);
        if (found != (int) found) {
            throw fault(where, "expected a number of 32 bits, got " + found);
        }
        return (int) found;
    }

    private static double number(Object value, String where) {
        if (!(value instanceof Number)) {
            throw fault(where, "expected a number, got " + kind(value));
        }
        double found = ((Number) value).doubleValue();
        if (Double.isInfinite(found)) {
            throw fault(where, "the number is beyond a double");
        }
        return found;
    }

    private static String kind(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Map || value instanceof List) {
            return value instanceof Map ? "an object" : "a list";
        }
        return value instanceof String ? "text" : "`" + value + "`";
    }
}
