package jdiffusion.emulator.ptx;

import jdiffusion.emulator.PtxException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads a PTX text at module scope. */
public final class PtxParser {
    private static final Pattern TARGET = Pattern.compile("\\bsm_(\\d{2,3})");
    private static final Set<String> LINKAGE = Set.of(".visible", ".extern", ".weak", ".common");

    private final Source source;
    private final List<Variable> variables = new ArrayList<>();
    private final List<PtxFunction> kernels = new ArrayList<>();
    private final Map<String, PtxFunction> functions = new LinkedHashMap<>();

    private int architecture;

    private PtxParser(Source source) {
        this.source = source;
    }

    /**
     * Parses a whole text.
     *
     * @param origin where it comes from, for messages
     * @throws PtxException with the line of what is malformed
     */
    public static PtxModule parse(String ptx, String origin) {
        var parser = new PtxParser(new Source(ptx, origin));
        while (parser.source.peek() != 0) {
            parser.directive();
        }
        return new PtxModule(origin, parser.source.lines(), List.copyOf(parser.variables),
                List.copyOf(parser.kernels), parser.functions, parser.architecture);
    }

    private void directive() {
        source.peek();
        int line = source.line();
        String word = source.word();
        while (LINKAGE.contains(word)) {
            word = source.word();
        }
        switch (word) {
            case ".version", ".address_size", ".file" -> restOfLine(line);
            case ".target" -> {
                Matcher target = TARGET.matcher(source.lines().get(line - 1));
                architecture = target.find() ? Integer.parseInt(target.group(1)) : 0;
                restOfLine(line);
            }
            case ".global", ".const", ".shared" -> variables.add(variable(source, word, line));
            case ".entry" -> kernels.add(new FunctionParser(source, line).parse());
            case ".func" -> {
                PtxFunction function = new FunctionParser(source, line).parseFunction();
                if (function != null) {
                    functions.put(function.name(), function);
                }
            }
            case ".pragma", ".alias" -> statement();
            case ".section" -> {
                source.until("{");
                source.take();
                source.skipBraces();
            }
            default -> throw source.error(line, "directive " + word + " is not supported");
        }
    }

    /** Reads a variable whose state space was just taken, and its semicolon. */
    static Variable variable(Source source, String space, int line) {
        String declaration = source.until(";");
        source.take();
        try {
            return VariableParser.parse(space.substring(1), declaration);
        } catch (RuntimeException e) {
            throw source.error(line, e.getMessage());
        }
    }

    private void statement() {
        source.until(";");
        source.take();
    }

    private void restOfLine(int line) {
        while (source.peek() != 0 && source.line() == line) {
            source.take();
        }
    }
}
