package dev.edgesdk.edge;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.bouncycastle.math.ec.rfc8032.Ed25519;

/**
 * Signatures over the manifest. Android has Ed25519 since API 33 only, so Bouncy Castle verifies on all of them, and the
 * same code runs in the tests.
 */
final class Ed25519Signatures {
    private static final byte[] CONTEXT = "edge-sdk bundle manifest, version 1\n".getBytes(StandardCharsets.US_ASCII);
    private static final int MAX = 8, KEY_BYTES = 32, SIGNATURE_BYTES = 64, ID_DIGITS = 16;
    /** What precedes the 32 bytes in a SubjectPublicKeyInfo (RFC 8410). */
    private static final byte[] DER = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

    private Ed25519Signatures() { }

    /**
     * The id of the first trusted key that signed the manifest.
     *
     * @throws EdgeException.BundleSignature none of them did, or a signature under a trusted key's id is wrong
     * @throws EdgeException.BundleFormat the member is not what FORMAT.md says
     */
    static String verify(ByteBuffer manifest, ByteBuffer member, List<byte[]> trustedKeys) {
        Map<String, String> found = read(member);
        Map<String, byte[]> trusted = new LinkedHashMap<>();
        for (byte[] key : trustedKeys) {
            byte[] raw = raw(key);
            trusted.put(Hashes.sha256(ByteBuffer.wrap(raw)).substring(0, ID_DIGITS), raw);
        }
        for (Map.Entry<String, byte[]> key : trusted.entrySet()) {
            if (found.containsKey(key.getKey())) {
                check(key.getKey(), key.getValue(), found.get(key.getKey()), manifest);
                return key.getKey();
            }
        }
        throw new EdgeException.BundleSignature("signed by " + join(found) + ", trusted are " + join(trusted),
                "give the public key of whoever made it, or ask for a bundle signed by a trusted one");
    }

    /** 32 raw bytes, of themselves or of a PEM file. */
    static byte[] raw(byte[] key) {
        if (key.length == KEY_BYTES) {
            return key;
        }
        String text = new String(key, StandardCharsets.ISO_8859_1);
        String begin = "-----BEGIN PUBLIC KEY-----", end = "-----END PUBLIC KEY-----";
        int from = text.indexOf(begin), to = text.indexOf(end);
        try {
            byte[] der = from < 0 || to < from ? new byte[0]
                    : Base64.getMimeDecoder().decode(text.substring(from + begin.length(), to));
            if (der.length == DER.length + KEY_BYTES && Arrays.equals(Arrays.copyOf(der, DER.length), DER)) {
                return Arrays.copyOfRange(der, DER.length, der.length);
            }
        } catch (IllegalArgumentException error) {
            throw new EdgeException.Bundle("not a readable public key: " + error.getMessage(), "expected a PEM file");
        }
        String hint = text.contains("PRIVATE KEY") ? "this is a private key: give the .pub file" : "expected a PEM file";
        throw new EdgeException.Bundle("not an Ed25519 public key (" + key.length + " bytes)", hint);
    }

    private static Map<String, String> read(ByteBuffer member) {
        Table table;
        try {
            table = new Table(StrictJson.load(member), "", "algorithm", "signatures");
        } catch (StrictJson.Malformed error) {
            throw new EdgeException.BundleFormat("manifest.sig: " + error.getMessage(), null);
        }
        table.oneOf("algorithm", "ed25519");
        List<Object> listed = table.list("signatures");
        if (listed.isEmpty() || listed.size() > MAX) {
            throw new EdgeException.BundleFormat("manifest.sig: " + listed.size() + " signatures, expected 1 to " + MAX,
                    null);
        }
        Map<String, String> found = new LinkedHashMap<>();
        for (Object one : listed) {
            Table record = new Table(one, "signatures", "key_id", "signature");
            found.put(record.text("key_id"), record.text("signature"));
        }
        return found;
    }

    private static void check(String id, byte[] key, String signature, ByteBuffer manifest) {
        byte[] raw;
        try {
            raw = Base64.getDecoder().decode(signature);
        } catch (IllegalArgumentException error) {
            throw new EdgeException.BundleFormat("manifest.sig: not base64: " + error.getMessage(), null);
        }
        if (raw.length != SIGNATURE_BYTES) {
            throw new EdgeException.BundleFormat("manifest.sig: a signature has " + SIGNATURE_BYTES + " bytes, got "
                    + raw.length, null);
        }
        byte[] message = message(manifest);
        if (!Ed25519.verify(raw, 0, key, 0, message, 0, message.length)) {
            throw new EdgeException.BundleSignature("the signature under key " + id
                    + " is wrong: the manifest was changed after it was signed",
                    "do not use this file; ask whoever made it for another");
        }
    }

    private static byte[] message(ByteBuffer manifest) {
        ByteArrayOutputStream made = new ByteArrayOutputStream();
        made.write(CONTEXT, 0, CONTEXT.length);
        byte[] bytes = Hashes.bytes(manifest);
        made.write(bytes, 0, bytes.length);
        return made.toByteArray();
    }

    private static String join(Map<String, ?> ids) {
        StringBuilder made = new StringBuilder();
        for (String id : ids.keySet()) {
            made.append(made.length() == 0 ? "" : ", ").append(Table.cut(id));
        }
        return made.toString();
    }
}
