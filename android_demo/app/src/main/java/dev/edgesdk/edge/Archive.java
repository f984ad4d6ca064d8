package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The archive: a ZIP of stored members in one canonical form. Names, sizes and checksums are read from the directory,
 * every other byte is built anew and compared, as FORMAT.md says.
 */
final class Archive {
    private static final int ALIGNMENT = 64, MODEL_ALIGNMENT = 16384;
    private static final int MAX_MEMBERS = 4096, MAX_NAME = 200;
    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*");
    private static final int LOCAL = 30, CENTRAL = 46, END = 22, PADDING = 6, ZIP64_LOCATOR = 20;
    private static final int LOCAL_MAGIC = 0x04034b50, CENTRAL_MAGIC = 0x02014b50, END_MAGIC = 0x06054b50;
    private static final int ZIP64_MAGIC = 0x07064b50;
    private static final short NEEDED = 20, MADE_BY = 0x0314, DATE = 33, PADDING_ID = (short) 0xD935;
    private static final int REGULAR_FILE = 0x81A40000;
    private static final long WORD = 0xFFFFFFFFL;

    /** One member; {@code offset} is where its data begins. */
    static final class Member {
        final String name;
        final long size;
        final long crc32;
        long offset;

        Member(String name, long size, long crc32) {
            this.name = name;
            this.size = size;
            this.crc32 = crc32;
        }

        int alignment() {
            return name.endsWith(".tflite") ? MODEL_ALIGNMENT : ALIGNMENT;
        }
    }

    private final ByteBuffer data;
    private final Map<String, Member> members = new LinkedHashMap<>();

    /**
     * Reads and checks the frame of a whole file.
     *
     * @throws EdgeException.BundleFormat not a ZIP, or not in the canonical form
     */
    Archive(ByteBuffer file) {
        data = file.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        data.rewind();
        readMembers(directory(), count());
        checkFrame();
    }

    static boolean looksLikeOne(ByteBuffer file) {
        return file.limit() > 1 && file.get(0) == 'P' && file.get(1) == 'K';
    }

    /** By name, in the file's order. */
    Map<String, Member> members() {
        return members;
    }

    /** A member's bytes, in place. */
    ByteBuffer view(Member member) {
        ByteBuffer view = data.duplicate();
        view.limit((int) (member.offset + member.size));
        view.position((int) member.offset);
        return view.slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Raises unless the name is one that a member may have. */
    static void checkName(String name) {
        if (name.length() > MAX_NAME || !NAME.matcher(name).matches()) {
            throw new EdgeException.BundleFormat("member name `" + printable(name) + "` is not allowed",
                    "names are of a-z, 0-9, `.`, `_`, `-`, in folders split by `/`; none begins with a dot");
        }
    }

    private int count() {
        return data.getShort(data.limit() - END + 10) & 0xFFFF;
    }

    /** The directory's bytes. */
    private ByteBuffer directory() {
        int length = data.limit();
        if (length < END || data.getInt(0) != LOCAL_MAGIC) {
            throw new EdgeException.BundleFormat("not a bundle: it does not begin as a ZIP file does (" + length
                    + " bytes)", "a bundle is made by `edge-sdk bundle create`");
        }
        int end = length - END;
        if (data.getInt(end) != END_MAGIC || data.getShort(end + 20) != 0) {
            throw other("it does not end with a directory: cut off, or followed by other data");
        }
        if (end >= ZIP64_LOCATOR && data.getInt(end - ZIP64_LOCATOR) == ZIP64_MAGIC) {
            throw other("it is a ZIP64 archive");
        }
        if (data.getInt(end + 4) != 0 || data.getShort(end + 8) != data.getShort(end + 10)) {
            throw other("it is split over several files");
        }
        if (count() == 0 || count() > MAX_MEMBERS) {
            throw other("it has " + count() + " members, at most " + MAX_MEMBERS + " are allowed");
        }
        long size = data.getInt(end + 12) & WORD, offset = data.getInt(end + 16) & WORD;
        if (offset + size != end) {
            throw other("its directory ends at byte " + (offset + size) + " of " + end);
        }
        ByteBuffer view = data.duplicate();
        view.limit(end);
        view.position((int) offset);
        return view.slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    private void readMembers(ByteBuffer directory, int count) {
        int at = 0;
        for (int place = 0; place < count; place++) {
            if (at + CENTRAL > directory.limit()) {
                throw other("its directory ends within member " + place + " of " + count);
            }
            int length = Math.min(directory.getShort(at + 28) & 0xFFFF, directory.limit() - at - CENTRAL);
            byte[] name = new byte[length];
            for (int index = 0; index < length; index++) {
                name[index] = directory.get(at + CENTRAL + index);
            }
            Member member = new Member(new String(name, StandardCharsets.ISO_8859_1), directory.getInt(at + 24) & WORD,
                    directory.getInt(at + 16) & WORD);
            checkName(member.name);
            checkRecord(directory, at, member);
            if (members.put(member.name, member) != null) {
                throw other("it has two members `" + member.name + "`");
            }
            at += CENTRAL + length;
        }
    }

    /** The usual ways to be another ZIP, in words; all others are found by the comparison. */
    private static void checkRecord(ByteBuffer directory, int at, Member member) {
        int flags = directory.getShort(at + 8), method = directory.getShort(at + 10) & 0xFFFF;
        long packed = directory.getInt(at + 20) & WORD;
        String what = (flags & 1) != 0 ? "is encrypted"
                : (flags & 8) != 0 ? "has a data descriptor"
                : method != 0 ? "is compressed (method " + method + ")"
                : packed == WORD || member.size == WORD ? "has ZIP64 sizes"
                : packed != member.size ? "has " + packed + " bytes stored and " + member.size + " bytes said"
                : directory.getInt(at + 38) >>> 28 != 8 ? "is not a regular file" : null;
        if (what != null) {
            throw other("`" + member.name + "` " + what);
        }
    }

    /** Builds all but the members' data, and compares. */
    private void checkFrame() {
        long position = 0;
        long all = 0;
        for (Member member : members.values()) {
            all += member.size;
        }
        if (all > data.limit()) {
            throw other("its members overlap, or reach beyond its end");
        }
        List<byte[]> records = new ArrayList<>();
        for (Member member : members.values()) {
            byte[] header = localHeader(member, position);
            compare(header, position, "the header of `" + member.name + "`");
            records.add(centralRecord(member, position));
            member.offset = position + header.length;
            position = member.offset + member.size;
        }
        long directory = position;
        for (byte[] record : records) {
            compare(record, position, "the directory");
            position += record.length;
        }
        compare(end(records.size(), position - directory, directory), position, "the directory");
        if (position + END != data.limit()) {
            throw other("its members fill " + (position + END) + " bytes, the file has " + data.limit());
        }
    }

    private static byte[] localHeader(Member member, long position) {
        byte[] name = member.name.getBytes(StandardCharsets.US_ASCII);
        long unpadded = position + LOCAL + name.length + PADDING;
        int zeros = (int) Math.floorMod(-unpadded, (long) member.alignment());
        ByteBuffer made = empty(LOCAL + name.length + PADDING + zeros);
        made.putInt(LOCAL_MAGIC);
        common(made, member);
        made.putShort((short) name.length).putShort((short) (PADDING + zeros)).put(name);
        made.putShort(PADDING_ID).putShort((short) (2 + zeros)).putShort((short) member.alignment());
        return made.array();
    }

    private static byte[] centralRecord(Member member, long position) {
        byte[] name = member.name.getBytes(StandardCharsets.US_ASCII);
        ByteBuffer made = empty(CENTRAL + name.length);
        made.putInt(CENTRAL_MAGIC).putShort(MADE_BY);
        common(made, member);
        made.putShort((short) name.length).putShort((short) 0).putShort((short) 0).putShort((short) 0)
                .putShort((short) 0).putInt(REGULAR_FILE).putInt((int) position).put(name);
        return made.array();
    }

    /** Version needed, flags, method, time, date, checksum and both sizes. */
    private static void common(ByteBuffer made, Member member) {
        made.putShort(NEEDED).putShort((short) 0).putShort((short) 0).putShort((short) 0).putShort(DATE)
                .putInt((int) member.crc32).putInt((int) member.size).putInt((int) member.size);
    }

    private static byte[] end(int count, long size, long offset) {
        ByteBuffer made = empty(END);
        made.putInt(END_MAGIC).putShort((short) 0).putShort((short) 0).putShort((short) count).putShort((short) count)
                .putInt((int) size).putInt((int) offset).putShort((short) 0);
        return made.array();
    }

    private static ByteBuffer empty(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void compare(byte[] expected, long at, String what) {
        for (int index = 0; index < expected.length; index++) {
            long place = at + index;
            if (place >= data.limit() || data.get((int) place) != expected[index]) {
                throw other(what + " differs at byte " + place + " from what its members make");
            }
        }
    }

    private static String printable(String name) {
        return Table.cut(name).replaceAll("[^\\x20-\\x7e]", "?");
    }

    private static EdgeException.BundleFormat other(String what) {
        return new EdgeException.BundleFormat("not a bundle in its one form: " + what,
                "copy the file again, or make it again with `edge-sdk bundle create`; other ZIP tools write another form");
    }
}
