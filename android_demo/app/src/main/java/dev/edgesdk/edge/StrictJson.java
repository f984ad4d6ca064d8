package dev.edgesdk.edge;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON in UTF-8 without doubled keys and without what JSON has no word for. Android's own reader takes comments, single
 * quotes and doubled keys, so that what it reads need not be what was signed by anyone's understanding.
 *
 * <p>Objects become maps, arrays lists, whole numbers Long or BigInteger, others Double, and null is null.
 */
final class StrictJson {
    /** What is wrong. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String what) {
            super(what);
        }
    }

    private static final int DEEPEST = 500;

    private final String text;
    private int at;

    private StrictJson(String text) {
        this.text = text;
    }

    /** The value of a whole document. */
    static Object load(ByteBuffer data) throws Malformed {
        StrictJson reader;
        try {
            reader = new StrictJson(StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT).decode(data.duplicate()).toString());
        } catch (CharacterCodingException error) {
            throw new Malformed("not well-formed JSON: not UTF-8");
        }
        Object value = reader.value(0);
        reader.blanks();
        if (reader.at != reader.text.length()) {
            throw reader.fault("more after the end");
        }
        return value;
    }

    private Object value(int depth) throws Malformed {
        blanks();
        if (depth > DEEPEST) {
            throw fault("nested too deep");
        }
        switch (peek()) {
            case '{': return object(depth);
            case '[': return array(depth);
            case '"': return string();
            case 't': return word("true", Boolean.TRUE);
            case 'f': return word("false", Boolean.FALSE);
            case 'n': return word("null", null);
            default: return number();
        }
    }

    private Map<String, Object> object(int depth) throws Malformed {
        Map<String, Object> made = new LinkedHashMap<>();
        at++;
        blanks();
        if (peek() == '}') {
            at++;
            return made;
        }
        while (true) {
            blanks();
            String key = string();
            blanks();
            expect(':');
            if (made.containsKey(key)) {
                throw fault("the key `" + key + "` is there twice");
            }
            made.put(key, value(depth + 1));
            if (ends('}')) {
                return made;
            }
        }
    }

    private List<Object> array(int depth) throws Malformed {
        List<Object> made = new ArrayList<>();
        at++;
        blanks();
        if (peek() == ']') {
            at++;
            return made;
        }
        while (true) {
            made.add(value(depth + 1));
            if (ends(']')) {
                return made;
            }
        }
    }

    /** After a value: whether that was the last one. */
    private boolean ends(char end) throws Malformed {
        blanks();
        if (peek() == end) {
            at++;
            return true;
        }
        expect(',');
        return false;
    }

    private String string() throws Malformed {
        expect('"');
        StringBuilder made = new StringBuilder();
        while (true) {
            char one = peek();
            at++;
            if (one == '"') {
                return made.toString();
            }
            if (one < ' ') {
                throw fault("a control character in a string");
            }
            made.append(one == '\\' ? escaped() : one);
        }
    }

    private char escaped() throws Malformed {
        char one = peek();
        at++;
        if (one == 'u') {
            return unicode();
        }
        int place = "\"\\/bfnrt".indexOf(one);
        if (place < 0) {
            throw fault("an unknown escape");
        }
        return "\"\\/\b\f\n\r\t".charAt(place);
    }

    private char unicode() throws Malformed {
        if (at + 4 > text.length()) {
            throw fault("cut off");
        }
        int code = 0;
        for (int end = at + 4; at < end; at++) {
            int digit = Character.digit(text.charAt(at), 16);
            if (digit < 0 || text.charAt(at) > 'f') {
                throw fault("no hexadecimal digit");
            }
            code = code * 16 + digit;
        }
        return (char) code;
    }

    private Object number() throws Malformed {
        int begin = at;
        at += at < text.length() && text.charAt(at) == '-' ? 1 : 0;
        int digits = digits();
        if (digits == 0 || digits > 1 && text.charAt(at - digits) == '0') {
            throw fault("expected a value");
        }
        boolean whole = true;
        if (at < text.length() && text.charAt(at) == '.') {
            at++;
            whole = false;
            require(digits());
        }
        if (at < text.length() && (text.charAt(at) | 0x20) == 'e') {
            at++;
            whole = false;
            at += at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-') ? 1 : 0;
            require(digits());
        }
        String found = text.substring(begin, at);
        return whole ? wholeNumber(found) : finite(found);
    }

    private static Object wholeNumber(String digits) {
        return digits.length() < 19 ? (Object) Long.valueOf(digits) : new BigInteger(digits);
    }

    private Double finite(String digits) throws Malformed {
        double value = Double.parseDouble(digits);
        if (Double.isInfinite(value)) {
            throw fault(digits + " is beyond a double");
        }
        return value;
    }

    private int digits() {
        int begin = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at - begin;
    }

    private void require(int digits) throws Malformed {
        if (digits == 0) {
            throw fault("expected a digit");
        }
    }

    private Object word(String word, Object value) throws Malformed {
        if (!text.startsWith(word, at)) {
            throw fault("expected a value");
        }
        at += word.length();
        return value;
    }

    private void blanks() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() throws Malformed {
        if (at >= text.length()) {
            throw fault("cut off");
        }
        return text.charAt(at);
    }

    private void expect(char wanted) throws Malformed {
        if (peek() != wanted) {
            throw fault("expected `" + wanted + "`");
        }
        at++;
    }

    private Malformed fault(String what) {
        return new Malformed("not well-formed JSON: " + what + " at character " + at);
    }
}
