package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Values of one type and shape, in C order, little-endian as on all of Android. */
public final class EdgeArray {
    private static final long MANY = 1L << 31;

    /** Of each value. */
    public final DType dtype;
    private final int[] shape;
    private final ByteBuffer data;

    private EdgeArray(DType dtype, int[] shape, ByteBuffer data) {
        this.dtype = dtype;
        this.shape = shape.clone();
        this.data = data;
    }

    /**
     * Around a buffer, from its position to its limit; nothing is copied.
     *
     * @throws EdgeException.Signature the buffer has another size than the shape says
     */
    public static EdgeArray wrap(DType dtype, ByteBuffer buffer, int... shape) {
        long expected = elements(shape) * dtype.bytes;
        if (buffer.remaining() != expected) {
            throw new EdgeException.Signature(dtype.word() + Arrays.toString(shape) + " needs " + expected
                    + " bytes, the buffer has " + buffer.remaining(), null);
        }
        return new EdgeArray(dtype, shape, buffer.slice().order(ByteOrder.LITTLE_ENDIAN));
    }

    /** Zeros, in direct memory. */
    public static EdgeArray zeros(DType dtype, int... shape) {
        int size = Math.toIntExact(elements(shape) * dtype.bytes);
        return wrap(dtype, ByteBuffer.allocateDirect(size), shape);
    }

    /** A copy of floats. */
    public static EdgeArray of(float[] values, int... shape) {
        EdgeArray made = zeros(DType.FLOAT32, shape);
        if (values.length != made.size()) {
            throw new EdgeException.Signature("float32" + Arrays.toString(shape) + " has " + made.size()
                    + " values, got " + values.length, null);
        }
        made.buffer().asFloatBuffer().put(values);
        return made;
    }

    /** From real numbers, rounded half to even and saturated for integer types. */
    public static EdgeArray of(DType dtype, double[] values, int... shape) {
        EdgeArray made = zeros(dtype, shape);
        for (int index = 0; index < values.length; index++) {
            made.set(index, values[index]);
        }
        return made;
    }

    /** Extents; a copy. */
    public int[] shape() {
        return shape.clone();
    }

    /** Number of values. */
    public int size() {
        return (int) elements(shape);
    }

    /** The bytes: a view from the first to the last, little-endian. */
    public ByteBuffer buffer() {
        ByteBuffer view = data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        view.rewind();
        return view;
    }

    /** One value as a double, by its place in C order. */
    public double get(int index) {
        switch (dtype) {
            case FLOAT32: return data.getFloat(4 * index);
            case FLOAT16: return Half.toDouble(data.getShort(2 * index));
            case FLOAT64: return data.getDouble(8 * index);
            case INT8: return data.get(index);
            case UINT8: return data.get(index) & 0xFF;
            case BOOL: return data.get(index) == 0 ? 0 : 1;
            case INT16: return data.getShort(2 * index);
            case UINT16: return data.getShort(2 * index) & 0xFFFF;
            case INT32: return data.getInt(4 * index);
            case UINT32: return data.getInt(4 * index) & 0xFFFFFFFFL;
            default: return data.getLong(8 * index);
        }
    }

    /** All values as floats; a copy. */
    public float[] floats() {
        float[] made = new float[size()];
        if (dtype == DType.FLOAT32) {
            buffer().asFloatBuffer().get(made);
            return made;
        }
        for (int index = 0; index < made.length; index++) {
            made[index] = (float) get(index);
        }
        return made;
    }

    /** All values as doubles; a copy. */
    public double[] doubles() {
        double[] made = new double[size()];
        for (int index = 0; index < made.length; index++) {
            made[index] = get(index);
        }
        return made;
    }

    /** A copy in memory of its own. */
    public EdgeArray copy() {
        EdgeArray made = zeros(dtype, shape);
        made.buffer().put(buffer());
        return made;
    }

    /** {@code float32[1, 8, 8, 1]}. */
    @Override
    public String toString() {
        return dtype.word() + Arrays.toString(shape);
    }

    static long elements(int[] shape) {
        long count = 1;
        for (int extent : shape) {
            // More than any memory holds is the same as that; a product that wraps around is not.
            count = Math.min(count * extent, MANY);
        }
        return count;
    }

    /** Puts one value by its place; rounded half to even and saturated for integer types. */
    void set(int index, double value) {
        double whole = dtype.isFloat() ? value : Math.min(Math.max(Math.rint(value), dtype.least()), dtype.largest());
        switch (dtype) {
            case FLOAT32: data.putFloat(4 * index, (float) value); break;
            case FLOAT16: data.putShort(2 * index, Half.of((float) value)); break;
            case FLOAT64: data.putDouble(8 * index, value); break;
            case INT8: case UINT8: case BOOL: data.put(index, (byte) (int) whole); break;
            case INT16: case UINT16: data.putShort(2 * index, (short) (int) whole); break;
            case INT32: case UINT32: data.putInt(4 * index, (int) (long) whole); break;
            default: data.putLong(8 * index, (long) whole); break;
        }
    }
}
