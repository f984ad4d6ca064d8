package dev.edgesdk.edge;

/** IEEE 754 half precision, which Java has no type for. */
final class Half {
    private Half() { }

    /** The value of 16 bits. */
    static double toDouble(short bits) {
        int exponent = bits >> 10 & 0x1F;
        int fraction = bits & 0x3FF;
        double sign = bits < 0 ? -1 : 1;
        if (exponent == 0x1F) {
            return fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
        }
        return exponent == 0 ? sign * fraction * 0x1p-24 : sign * (1024 + fraction) * Math.scalb(1.0, exponent - 25);
    }

    /** The nearest half, ties to even. */
    static short of(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 16 & 0x8000;
        double size = Math.abs((double) value);
        if (Double.isNaN(size)) {
            return (short) (sign | 0x7E00);
        }
        if (size >= 65520) {
            return (short) (sign | 0x7C00);
        }
        int exponent = size < 0x1p-14 ? -14 : Math.getExponent(size);
        // Steps of the half's own spacing; a carry into the next exponent is what adding does.
        int steps = (int) Math.rint(Math.scalb(size, 10 - exponent));
        int bits = size < 0x1p-14 ? steps : (exponent + 14 << 10) + steps;
        return (short) (sign | bits);
    }
}
