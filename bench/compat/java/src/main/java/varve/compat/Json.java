package varve.compat;

import java.util.Collection;

/** Writes the flat objects that the report card reads. */
final class Json {
    private Json() {}

    /** One object of names and values given in turn. */
    static String object(Object... pairs) {
        StringBuilder b = new StringBuilder("{");
        for (int i = 0; i < pairs.length; i += 2) {
            b.append(i == 0 ? "" : ",").append(quote(pairs[i].toString())).append(':');
            b.append(value(pairs[i + 1]));
        }
        return b.append('}').toString();
    }

    private static String value(Object v) {
        if (v == null || v instanceof Number || v instanceof Collection) { // collections of numbers
            return String.valueOf(v);
        }
        return quote(v.toString());
    }

    private static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                b.append('\\').append(c);
            } else if (c < 0x20) {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
