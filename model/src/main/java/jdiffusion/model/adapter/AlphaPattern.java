package jdiffusion.model.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import jdiffusion.tensor.InputException;

/**
 * A key of PEFT's {@code alpha_pattern}: a regular expression that has to match a module's whole name, or all of it
 * behind a dot. Source: {@code get_pattern_key} of PEFT, {@code re.match(rf"(.*\\.)?({key})$", name)}.
 *
 * @param regex null for a plain text, in which a dot stands for any character as in the others, and for a key that is
 *              no regular expression
 * @param fault why it is none; null when it is
 */
record AlphaPattern(String key, JsonNode alpha, Pattern regex, String fault) {
    /** Characters that may be looked at for one name; an expression can be made to look without an end. */
    private static final int PATIENCE = 1_000_000;

    static AlphaPattern of(String key, JsonNode alpha) {
        if (key.matches("[\\w.]*")) {
            return new AlphaPattern(key, alpha, null, null);
        }
        try {
            return new AlphaPattern(key, alpha, Pattern.compile("(.*\\.)?(" + ofPython(key) + ")$"), null);
        } catch (PatternSyntaxException e) {
            return new AlphaPattern(key, alpha, null, e.getDescription());
        }
    }

    /** What Python spells another way: named groups, whose names have no underscores in Java, and the text's end. */
    private static String ofPython(String key) {
        String named = Pattern.compile("\\(\\?P<(\\w+)>").matcher(key)
                .replaceAll(m -> "(?<" + m.group(1).replace("_", "") + ">");
        return Pattern.compile("\\(\\?P=(\\w+)\\)").matcher(named)
                .replaceAll(m -> "\\\\k<" + m.group(1).replace("_", "") + ">").replace("\\Z", "\\z");
    }

    /** @throws InputException when that cannot be found out in reasonable time */
    boolean fits(String module) {
        if (regex == null) {
            return fault == null && endsWithKey(module);
        }
        try {
            return regex.matcher(new Patient(module)).lookingAt();
        } catch (StackOverflowError e) {
            throw new InputException("alpha_pattern: the key " + InputException.shown(key) + " is too deep to be"
                    + " matched; write it simpler", e);
        }
    }

    private boolean endsWithKey(String module) {
        int start = module.length() - key.length();
        if (start < 0 || start > 0 && module.charAt(start - 1) != '.') {
            return false;
        }
        for (int i = 0; i < key.length(); i++) {
            if (key.charAt(i) != '.' && key.charAt(i) != module.charAt(start + i)) {
                return false;
            }
        }
        return true;
    }

    /** A text that fails when it is looked at too often. */
    private final class Patient implements CharSequence {
        private final String text;
        private int looks;

        Patient(String text) {
            this.text = text;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (++looks > PATIENCE) {
                throw new InputException("alpha_pattern: the key " + InputException.shown(key) + " takes too long to"
                        + " be matched; write it simpler");
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
