package jdiffusion.emulator.ptx;

import jdiffusion.emulator.PtxException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads a PTX text at module scope. */
public final class PtxParser {
    private static final Set<String> LINKAGE = Set.of(".visible", ".extern", ".weak", ".common");

    private final Source source;
    private String target = "";
    private final List<Variable> variables = new ArrayList<>();
    private final List<PtxFunction> kernels = new ArrayList<>();
    private final Map<String, PtxFunction> functions = new LinkedHashMap<>();

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
        return new PtxModule(origin, parser.target, parser.source.lines(), List.copyOf(parser.variables),
                List.copyOf(parser.kernels), parser.functions);
    }

    private void directive() {
        source.peek();
        int line = source.line();
        String word = source.word();
        while (LINKAGE.contains(word)) {
            word = source.word();
        }
        switch (word) {
            case ".target" -> {
                target = source.word().replace(",", "");
                restOfLine(line);
            }
            case ".version", ".address_size", ".file" -> restOfLine(line);
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
