package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** One table of a FlatBuffer, read in place; what points out of the file is an IndexOutOfBoundsException. */
final class FlatTable {
    private final ByteBuffer data;
    private final int at;

    FlatTable(ByteBuffer data, int at) {
        this.data = data;
        this.at = at;
    }

    static FlatTable root(ByteBuffer data) {
        return new FlatTable(data, data.getInt(0));
    }

    /** Where a field is, or 0 if it is absent. */
    int field(int slot) {
        int table = at - data.getInt(at);
        int entry = 4 + 2 * slot;
        if (entry >= (data.getShort(table) & 0xFFFF)) {
            return 0;
        }
        int offset = data.getShort(table + entry) & 0xFFFF;
        return offset == 0 ? 0 : at + offset;
    }

    /** Whether it is there. */
    boolean has(int slot) {
        return field(slot) != 0;
    }

    int int8(int slot) {
        return field(slot) == 0 ? 0 : data.get(field(slot));
    }

    int int32(int slot) {
        return field(slot) == 0 ? 0 : data.getInt(field(slot));
    }

    long int64(int slot) {
        return field(slot) == 0 ? 0 : data.getLong(field(slot));
    }

    String text(int slot) {
        if (!has(slot)) {
            return "";
        }
        byte[] made = new byte[length(slot)];
        int begin = begin(slot);
        for (int index = 0; index < made.length; index++) {
            made[index] = data.get(begin + index);
        }
        return new String(made, StandardCharsets.UTF_8);
    }

    FlatTable table(int slot) {
        int field = field(slot);
        return field == 0 ? null : new FlatTable(data, field + data.getInt(field));
    }

    /** Number of a vector's items; 0 where it is absent. Bounded by the file, for an item has a byte at least. */
    int length(int slot) {
        if (!has(slot)) {
            return 0;
        }
        int count = data.getInt(begin(slot) - 4);
        if (count < 0 || count > data.limit()) {
            throw new IndexOutOfBoundsException("a vector of " + count);
        }
        return count;
    }

    FlatTable item(int slot, int index) {
        if (index >= length(slot)) {
            throw new IndexOutOfBoundsException("item " + index);
        }
        int place = begin(slot) + 4 * index;
        return new FlatTable(data, place + data.getInt(place));
    }

    int[] ints(int slot) {
        int[] made = new int[length(slot)];
        for (int index = 0; index < made.length; index++) {
            made[index] = data.getInt(begin(slot) + 4 * index);
        }
        return made;
    }

    /** The first four bytes of a vector that has them. */
    int firstInt(int slot) {
        return data.getInt(begin(slot));
    }

    float floatItem(int slot, int index) {
        return data.getFloat(begin(slot) + 4 * index);
    }

    long longItem(int slot, int index) {
        return data.getLong(begin(slot) + 8 * index);
    }

    /** Where a vector that is there has its length. */
    int vector(int slot) {
        return begin(slot) - 4;
    }

    private int begin(int slot) {
        int field = field(slot);
        return field + data.getInt(field) + 4;
    }
}
