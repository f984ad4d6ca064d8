package dev.edgesdk.edge;

import java.util.Collection;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** Plain data of values that may be absent. */
final class Json {
    private Json() { }

    /** JSON's null for none; numbers that JSON has no word for as text. */
    static Object of(Object value) {
        if (value == null) {
            return JSONObject.NULL;
        }
        boolean odd = value instanceof Double && (((Double) value).isNaN() || ((Double) value).isInfinite());
        return odd ? value.toString() : value;
    }

    static JSONArray array(Collection<?> values) {
        JSONArray made = new JSONArray();
        for (Object value : values) {
            made.put(of(value));
        }
        return made;
    }

    /** In a session's own data no number is odd. */
    static IllegalStateException impossible(JSONException error) {
        return new IllegalStateException(error);
    }
}
