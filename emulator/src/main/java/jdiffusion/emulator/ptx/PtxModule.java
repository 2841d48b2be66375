package jdiffusion.emulator.ptx;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A parsed PTX text.
 *
 * @param origin where the text comes from
 * @param target what {@code .target} names first, like sm_80; empty without one
 * @param lines the text, by line
 * @param variables module-scope variables
 * @param kernels entry functions
 * @param functions those that are called, by name
 */
public record PtxModule(String origin, String target, List<String> lines, List<Variable> variables,
        List<PtxFunction> kernels,
        Map<String, PtxFunction> functions) {
    private static final Pattern SPACES = Pattern.compile("\\s+");

    /** Text of a line, from 1, trimmed and with single spaces. */
    public String text(int line) {
        return line < 1 || line > lines.size() ? "" : SPACES.matcher(lines.get(line - 1).trim()).replaceAll(" ");
    }
}
