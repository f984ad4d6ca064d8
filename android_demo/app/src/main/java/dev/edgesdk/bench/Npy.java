package dev.edgesdk.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import dev.edgesdk.edge.DType;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Port;

/** Values for an input out of a file: numpy's .npy (versions 1 to 3), or nothing but the values, little-endian. */
public final class Npy {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final Pattern HEADER = Pattern.compile(
            "\\{\\s*'descr':\\s*'([<|=])([fiub])(\\d)',\\s*'fortran_order':\\s*(True|False),\\s*'shape':\\s*\\(([^)]*)\\),?"
                    + "\\s*\\}\\s*");

    private Npy() { }

    /**
     * What the file holds, if it is what the input takes.
     *
     * @throws EdgeException.Signature it is something else; says what was expected
     */
    public static EdgeArray read(byte[] file, Port port) {
        boolean hasHeader = file.length > 10;
        for (int index = 0; hasHeader && index < MAGIC.length; index++) {
            hasHeader = file[index] == MAGIC[index];
        }
        return hasHeader ? withHeader(file, port) : bare(file, port);
    }

    private static EdgeArray bare(byte[] file, Port port) {
        if (port.type() == null || file.length != port.sizeBytes()) {
            throw wrong(port, "has " + file.length + " bytes, expected " + port.sizeBytes());
        }
        return array(port.type(), file, 0, port.shape());
    }

    private static EdgeArray withHeader(byte[] file, Port port) {
        ByteBuffer bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        int version = file[6];
        int from = version == 1 ? 10 : 12;
        long length = version == 1 ? bytes.getShort(8) & 0xFFFF : file.length < 12 ? -1 : bytes.getInt(8) & 0xFFFFFFFFL;
        if (version < 1 || version > 3 || length < 0 || from + length > file.length) {
            throw wrong(port, "is cut short, or of a version that is not known");
        }
        String header = new String(file, from, (int) length, StandardCharsets.UTF_8);
        Matcher found = HEADER.matcher(header);
        if (!found.matches() || found.group(4).equals("True")) {
            throw wrong(port, "expected numbers in C order, little-endian; its header says " + header.trim());
        }
        String type = type(found.group(2), found.group(3));
        int[] shape = shape(found.group(5), port);
        if (!type.equals(port.dtype) || !java.util.Arrays.equals(shape, port.shape())) {
            throw wrong(port, "holds " + type + java.util.Arrays.toString(shape));
        }
        if (file.length - from - length != port.sizeBytes()) {
            throw wrong(port, "has " + (file.length - from - length) + " bytes of values, expected " + port.sizeBytes());
        }
        return array(port.type(), file, from + (int) length, shape);
    }

    private static String type(String kind, String bytes) {
        if (kind.equals("b")) {
            return "bool";
        }
        return (kind.equals("f") ? "float" : kind.equals("i") ? "int" : "uint") + 8 * Integer.parseInt(bytes);
    }

    private static int[] shape(String text, Port port) {
        String[] words = text.trim().isEmpty() ? new String[0] : text.split(",");
        int[] made = new int[words.length];
        try {
            for (int index = 0; index < made.length; index++) {
                made[index] = Integer.parseInt(words[index].trim());
            }
        } catch (NumberFormatException odd) {
            throw wrong(port, "has the shape (" + text + ")");
        }
        return made;
    }

    private static EdgeArray array(DType type, byte[] file, int from, int[] shape) {
        ByteBuffer direct = ByteBuffer.allocateDirect(file.length - from);
        direct.put(file, from, file.length - from).rewind();
        return EdgeArray.wrap(type, direct, shape);
    }

    private static EdgeException.Signature wrong(Port port, String what) {
        return new EdgeException.Signature("the file " + what + "; the input is " + port,
                "a .npy file, or the values alone, little-endian");
    }
}
