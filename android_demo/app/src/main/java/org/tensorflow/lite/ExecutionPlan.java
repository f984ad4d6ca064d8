package org.tensorflow.lite;

/**
 * How many steps an interpreter runs after delegates took their ops. TensorFlow Lite keeps the number inside its own
 * package; it is the only thing by which its Java API tells a delegate that works from one that took nothing.
 */
public final class ExecutionPlan {
    private ExecutionPlan() { }

    /** Steps: each op that was left, and each partition of a delegate. */
    public static int length(Interpreter interpreter) {
        return interpreter.getExecutionPlanLength();
    }
}
