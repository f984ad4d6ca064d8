package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256 of bytes where they lie. */
final class Hashes {
    private Hashes() { }

    /** In hex, of the whole buffer. */
    static String sha256(ByteBuffer data) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            ByteBuffer view = data.duplicate();
            view.rewind();
            digest.update(view);
            return hex(digest.digest());
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    /** A copy of a buffer's bytes. */
    static byte[] bytes(ByteBuffer data) {
        ByteBuffer view = data.duplicate();
        view.rewind();
        byte[] made = new byte[view.remaining()];
        view.get(made);
        return made;
    }

    private static String hex(byte[] bytes) {
        StringBuilder made = new StringBuilder();
        for (byte one : bytes) {
            made.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        }
        return made.toString();
    }
}
