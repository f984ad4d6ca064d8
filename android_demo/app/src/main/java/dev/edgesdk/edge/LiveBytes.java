package dev.edgesdk.edge;

import java.util.Arrays;
import java.util.List;

/**
 * Bytes of values that are alive at once when a graph runs, without kernels' scratch and without padding: no plan of memory
 * can do with less. Python knows the whole plan ({@code edge_sdk/checks/memory/need.py}).
 */
final class LiveBytes {
    /** RESHAPE, SQUEEZE, EXPAND_DIMS, BITCAST: the result may lie where the operand lies, for as long as either is needed. */
    private static final List<Integer> KEEPS_DATA = Arrays.asList(22, 43, 70, 159);
    /** ADD, DIV, DYNAMIC_UPDATE_SLICE, MUL, SOFTMAX, SUB: the result may take the place of an operand. */
    private static final List<Integer> OVERWRITES = Arrays.asList(0, 42, 151, 18, 25, 41);

    private final long[] sizes;
    private final int steps;
    /** Inputs and outputs: theirs alone, and never given up. */
    private final boolean[] kept;
    private final int[] reads;
    /** The tensor whose memory it may share. */
    private final int[] root;
    /** The step that needs it first; of what no step makes, none. */
    private final int[] first;
    private final int[] last;

    /** Sizes of tensors in bytes; 0 of constants. */
    LiveBytes(long[] sizes, int steps, int[] inputs, int[] outputs) {
        this.sizes = sizes;
        this.steps = Math.max(1, steps);
        kept = new boolean[sizes.length];
        reads = new int[sizes.length];
        root = new int[sizes.length];
        first = new int[sizes.length];
        last = new int[sizes.length];
        for (int index = 0; index < sizes.length; index++) {
            root[index] = index;
        }
        Arrays.fill(first, this.steps);
        Arrays.fill(last, -1);
        keep(outputs, this.steps - 1);
        keep(inputs, 0);
    }

    private void keep(int[] tensors, int from) {
        for (int index : tensors) {
            kept[index] = true;
            first[index] = from;
            last[index] = steps;
        }
    }

    /** Of all ops, before the first is told. */
    void reads(int[] operands) {
        for (int operand : operands) {
            if (operand >= 0) {
                reads[operand]++;
            }
        }
    }

    /** The next op; {@code code} of TFLite's schema. Absent operands and results are negative. */
    void op(int step, int code, int[] operands, int[] results) {
        for (int operand : operands) {
            if (operand >= 0) {
                last[operand] = Math.max(last[operand], step);
            }
        }
        for (int result : results) {
            if (result >= 0) {
                boolean late = OVERWRITES.contains(code) && takesPlace(operands, result);
                first[result] = Math.min(first[result], late ? step + 1 : step);
                last[result] = Math.max(last[result], step);
            }
        }
        if (KEEPS_DATA.contains(code) && operands.length > 0 && results.length > 0) {
            share(operands[0], results[0]);
        }
    }

    /** Whether the result may lie where an operand lies that nobody else reads. */
    private boolean takesPlace(int[] operands, int result) {
        for (int operand : operands) {
            if (operand >= 0 && !kept[operand] && !kept[result] && reads[operand] == 1
                    && sizes[operand] == sizes[result]) {
                return true;
            }
        }
        return false;
    }

    private void share(int operand, int result) {
        if (operand >= 0 && result >= 0 && !kept[operand] && !kept[result] && sizes[operand] == sizes[result]) {
            root[result] = root[operand];
        }
    }

    /** At the fullest step. */
    long peak() {
        int[] begins = new int[sizes.length];
        int[] ends = new int[sizes.length];
        Arrays.fill(begins, steps);
        Arrays.fill(ends, -1);
        for (int index = 0; index < sizes.length; index++) {
            begins[root[index]] = Math.min(begins[root[index]], first[index]);
            ends[root[index]] = Math.max(ends[root[index]], last[index]);
        }
        long[] changes = new long[steps + 2];
        for (int index = 0; index < sizes.length; index++) {
            if (begins[index] <= ends[index] && begins[index] < steps) {
                changes[begins[index]] += sizes[index];
                changes[ends[index] + 1] -= sizes[index];
            }
        }
        long live = 0, most = 0;
        for (int step = 0; step < steps; step++) {
            live += changes[step];
            most = Math.max(most, live);
        }
        return most;
    }
}
