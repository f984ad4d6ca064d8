package dev.edgesdk.demo;

import org.json.JSONObject;

import dev.edgesdk.edge.EdgeException;

/** What came of some work, for a person; of a benchmark with its result file. */
final class Outcome {
    /** In words. */
    final String text;
    /** Null if all went well. */
    final EdgeException error;
    /** Of a benchmark; else null. */
    final JSONObject result;
    /** Its file in the history; null likewise. */
    final String file;

    private Outcome(String text, EdgeException error, JSONObject result, String file) {
        this.text = text;
        this.error = error;
        this.result = result;
        this.file = file;
    }

    static Outcome of(String text) {
        return new Outcome(text, null, null, null);
    }

    static Outcome of(String text, JSONObject result, String file) {
        return new Outcome(text, null, result, file);
    }

    static Outcome error(EdgeException error) {
        String hint = error.hint == null ? "" : "\n\nTry: " + error.hint;
        return new Outcome(error.kind() + ": " + error.getMessage() + hint, error, null, null);
    }
}
