package dev.edgesdk.edge;

import org.json.JSONException;
import org.json.JSONObject;

/** What went wrong, and what to do about it; one class for each party who must act, as in {@code edge_sdk/errors/}. */
@SuppressWarnings("serial") // Nobody writes them to a stream.
public class EdgeException extends RuntimeException {
    private static final String COPY = "the file was damaged or changed: copy it again from where it was made";

    /** The next thing to try, or null. */
    public final String hint;
    private String file;

    /** With a hint. */
    public EdgeException(String message, String hint) {
        super(message);
        this.hint = hint;
    }

    /** Behind the name of the file that it is about, where that was not known at first. */
    @Override
    public String getMessage() {
        return file == null ? super.getMessage() : file + ": " + super.getMessage();
    }

    final void about(String name) {
        file = name;
    }

    /** The error's name in {@code edge_sdk/errors/}. */
    public String kind() {
        return getClass() == EdgeException.class ? "EdgeSdkError" : getClass().getSimpleName() + "Error";
    }

    /** Message and hint in one line. */
    public String line() {
        return hint == null ? getMessage() : getMessage() + " (" + hint + ")";
    }

    /** Plain data: {@code error}, {@code message}, {@code hint}. */
    public JSONObject toJson() throws JSONException {
        return new JSONObject().put("error", kind()).put("message", getMessage())
                .put("hint", hint == null ? JSONObject.NULL : hint);
    }

    /** The model cannot be read or run. */
    public static class Model extends EdgeException {
        /** With a hint. */
        public Model(String message, String hint) {
            super(message, hint);
        }
    }

    /** An input is missing, misnamed, or of another shape or type than the signature says. */
    public static final class Signature extends Model {
        /** With a hint. */
        public Signature(String message, String hint) {
            super(message, hint);
        }
    }

    /** A run was ended from another thread. */
    public static final class Cancelled extends Model {
        /** Without a hint. */
        public Cancelled() {
            super("cancelled", null);
        }
    }

    /** A delegate policy, or an option, is ill-formed. */
    public static final class Policy extends EdgeException {
        /** With the usual hint. */
        public Policy(String message) {
            super(message, "such as npu=require,max_latency_ms=20");
        }

        /** With a hint. */
        public Policy(String message, String hint) {
            super(message, hint);
        }
    }

    /** It does not fit this device. */
    public static class Target extends EdgeException {
        /** With a hint. */
        public Target(String message, String hint) {
            super(message, hint);
        }
    }

    /** A delegate cannot be had here, or not for this model. */
    public static final class DelegateUnavailable extends Target {
        /** With a hint. */
        public DelegateUnavailable(String message, String hint) {
            super(message, hint);
        }
    }

    /** A bundle cannot be used. */
    public static class Bundle extends EdgeException {
        /** With a hint. */
        public Bundle(String message, String hint) {
            super(message, hint);
        }
    }

    /** Not in the form of FORMAT.md: archive, manifest or a member. */
    public static final class BundleFormat extends Bundle {
        /** With a hint. */
        public BundleFormat(String message, String hint) {
            super(message, hint);
        }
    }

    /** A member is not what the manifest says. */
    public static final class BundleIntegrity extends Bundle {
        /** The hint is to copy the file again. */
        public BundleIntegrity(String message) {
            super(message, COPY);
        }
    }

    /** Made by a newer edge-sdk. */
    public static final class BundleVersion extends Bundle {
        /** With a hint. */
        public BundleVersion(String message, String hint) {
            super(message, hint);
        }
    }

    /** Unsigned, or not signed by a key that is trusted. */
    public static final class BundleSignature extends Bundle {
        /** With a hint. */
        public BundleSignature(String message, String hint) {
            super(message, hint);
        }
    }
}
