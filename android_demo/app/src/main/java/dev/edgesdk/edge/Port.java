package dev.edgesdk.edge;

import java.util.Arrays;

/** One input or output: its name, type and shape, and the scale where its integers stand for real values. */
public final class Port {
    /** As the signature calls it. */
    public final String name;
    /** Of each value, as the file names it; a type that {@link DType} does not know is there by name. */
    public final String dtype;
    private final int[] shape;
    /** {@code real = (stored - zeroPoint) * scale}; null where it is not quantized. */
    public final Double scale;
    /** Null likewise. */
    public final Integer zeroPoint;

    /** Scale and zero point are both null or both not. */
    public Port(String name, String dtype, int[] shape, Double scale, Integer zeroPoint) {
        this.name = name;
        this.dtype = dtype;
        this.shape = shape.clone();
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    /** Extents; a copy. */
    public int[] shape() {
        return shape.clone();
    }

    /** Its type, or null where values of it cannot be passed. */
    public DType type() {
        return DType.of(dtype);
    }

    /** Whether its integers stand for real values. */
    public boolean isScaled() {
        return scale != null && type() != null && type().isQuantizable();
    }

    /** Bytes of its values; 0 of a type without a fixed size. */
    public long sizeBytes() {
        return type() == null ? 0 : EdgeArray.elements(shape) * type().bytes;
    }

    /** Real values: what a session takes and gives instead of the integers of a quantized port. */
    Port real() {
        return isScaled() ? new Port(name, DType.FLOAT32.word(), shape, null, null) : this;
    }

    /** The same by another name. */
    Port named(String other) {
        return new Port(other, dtype, shape, scale, zeroPoint);
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Port)) {
            return false;
        }
        Port that = (Port) other;
        return name.equals(that.name) && dtype.equals(that.dtype) && Arrays.equals(shape, that.shape)
                && java.util.Objects.equals(scale, that.scale) && java.util.Objects.equals(zeroPoint, that.zeroPoint);
    }

    @Override
    public int hashCode() {
        return name.hashCode();
    }

    /** {@code image: float32[1, 8, 8, 1]}. */
    @Override
    public String toString() {
        return name + ": " + dtype + Arrays.toString(shape);
    }
}
