package jdiffusion.lab;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names as they stand in the source, of those that C++ has mangled. */
final class Names {
    private static final Pattern LOCAL = Pattern.compile("_ZZ.*E(\\d+)(\\w+)");
    private static final Pattern GLOBAL = Pattern.compile("_Z(?:N\\w*?)?(\\d+)(\\w+)");

    private Names() {}

    /** The name of a variable: {@code tile} for {@code _ZZ9transposeE4tile}. */
    static String variable(String mangled) {
        for (Pattern pattern : new Pattern[] {LOCAL, GLOBAL}) {
            Matcher matcher = pattern.matcher(mangled);
            if (matcher.matches()) {
                int length = Integer.parseInt(matcher.group(1));
                return matcher.group(2).length() < length ? mangled : matcher.group(2).substring(0, length);
            }
        }
        return mangled;
    }
}
