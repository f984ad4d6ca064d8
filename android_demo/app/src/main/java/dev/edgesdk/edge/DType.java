package dev.edgesdk.edge;

import java.util.Locale;

/** Types of values, by numpy's names in lower case. */
public enum DType {
    FLOAT32(4), FLOAT16(2), FLOAT64(8), INT8(1), UINT8(1), INT16(2), UINT16(2), INT32(4), UINT32(4), INT64(8), UINT64(8),
    BOOL(1);

    /** Bytes of one value. */
    public final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** {@code float32}, {@code int8} and so on. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether it is a floating point type. */
    public boolean isFloat() {
        return this == FLOAT32 || this == FLOAT16 || this == FLOAT64;
    }

    /** Whether its integers may stand for real values by a scale. */
    public boolean isQuantizable() {
        return this == INT8 || this == UINT8 || this == INT16;
    }

    /** The least value of an integer type. */
    public double least() {
        switch (this) {
            case INT8: return Byte.MIN_VALUE;
            case INT16: return Short.MIN_VALUE;
            case INT32: return Integer.MIN_VALUE;
            case INT64: return Long.MIN_VALUE;
            default: return 0;
        }
    }

    /** The largest value of an integer type, as a double. */
    public double largest() {
        switch (this) {
            case INT8: return Byte.MAX_VALUE;
            case UINT8: return 255;
            case INT16: return Short.MAX_VALUE;
            case UINT16: return 65535;
            case INT32: return Integer.MAX_VALUE;
            case UINT32: return 4294967295.0;
            case BOOL: return 1;
            default: return Long.MAX_VALUE;
        }
    }

    /** The type of that name, or null. */
    public static DType of(String word) {
        for (DType one : values()) {
            if (one.word().equals(word)) {
                return one;
            }
        }
        return null;
    }
}
