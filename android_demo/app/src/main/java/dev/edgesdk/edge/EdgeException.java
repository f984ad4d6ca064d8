package dev.edgesdk.edge;

/** What went wrong, and what to do about it; one class for each party who must act, as in {@code edge_sdk/errors.py}. */
public class EdgeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The next thing to try, or null. */
    public final String hint;

    /** With a hint. */
    public EdgeException(String message, String hint) {
        super(message);
        this.hint = hint;
    }

    /** The error's name in {@code edge_sdk/errors.py}. */
    public String kind() {
        return getClass() == EdgeException.class ? "EdgeSdkError" : getClass().getSimpleName() + "Error";
    }

    /** A delegate policy is ill-formed. */
    public static final class Policy extends EdgeException {
        private static final long serialVersionUID = 1L;

        /** Without a hint. */
        public Policy(String message) {
            super(message, "such as npu=require,max_latency_ms=20");
        }
    }
}
