package jdiffusion.model.tokenizer;

/** What both tokenizers ask of characters. */
final class Text {
    private Text() {
    }

    /** Unpaired surrogates as U+FFFD, so that every string has a UTF-8 form. */
    static String clean(String text) {
        for (var i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                return text.codePoints().map(c -> c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c)
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
            }
        }
        return text;
    }

    /** Unicode's White_Space property, which {@link Character#isWhitespace} is not. */
    static boolean isSpace(int c) {
        return c >= 0x9 && c <= 0xD || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680
                || c >= 0x2000 && c <= 0x200A || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F
                || c == 0x3000;
    }
}
