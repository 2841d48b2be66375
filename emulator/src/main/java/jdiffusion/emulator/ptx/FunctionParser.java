package jdiffusion.emulator.ptx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads one entry function or function, from its name (or its result) to its closing brace. */
final class FunctionParser {

    /**
     * A brace scope: written names of registers, parameters and labels, and the unique ones they stand for.
     *
     * @param first index of the first instruction in it
     */
    private record Scope(Map<String, String> names, Map<String, String> symbols, int first) {

        static Scope at(int first) {
            return new Scope(new HashMap<>(), new HashMap<>(), first);
        }
    }

    private final Source source;
    private final int line;
    private final Map<String, Type> registers = new LinkedHashMap<>();
    private final List<Variable> variables = new ArrayList<>();
    private final List<Instruction> body = new ArrayList<>();
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<String, List<String>> tables = new HashMap<>();
    private final Deque<Scope> scopes = new ArrayDeque<>();
    private final OperandParser operands = new OperandParser(this::unique, this::symbol);
    private int scopeCount;
    private String lastLabel;

    FunctionParser(Source source, int line) {
        this.source = source;
        this.line = line;
    }

    PtxFunction parse() {
        String name = source.word();
        List<Variable> parameters = parameters();
        return parse(name, List.of(), parameters);
    }

    /** Reads a {@code .func}; null for one that is only declared. */
    PtxFunction parseFunction() {
        List<Variable> results = parameters();
        String name = source.word();
        List<Variable> parameters = parameters();
        source.until("{;");
        return source.accept(';') ? null : parse(name, results, parameters);
    }

    private List<Variable> parameters() {
        List<Variable> parameters = new ArrayList<>();
        if (source.accept('(')) {
            String list = source.until(")");
            source.take();
            for (String parameter : OperandParser.split(list)) {
                parameters.add(parameter(parameter));
            }
        }
        return parameters;
    }

    private PtxFunction parse(String name, List<Variable> results, List<Variable> parameters) {
        int maxThreads = 1024;
        ClusterRequest cluster = ClusterRequest.NONE;
        while (source.peek() == '.') {
            String directive = source.word();
            int values = source.line();
            String text = source.peek() == '.' || source.peek() == '{' ? "" : source.until(".{");
            if (directive.equals(".maxntid") || directive.equals(".reqntid")) {
                maxThreads = Arrays.stream(numbers(text, values)).reduce(1, Math::multiplyExact);
            }
            cluster = switch (directive) {
                case ".reqnctapercluster" -> cluster.withSize(numbers(text, values));
                case ".explicitcluster" -> cluster.asExplicit();
                case ".maxclusterrank" -> cluster.withMost(numbers(text, values)[0]);
                default -> cluster;
            };
        }
        if (!source.accept('{')) {
            throw source.error(source.line(), "kernel " + name + " has no body");
        }
        body();
        return new PtxFunction(name, line, results, List.copyOf(parameters), maxThreads, cluster, registers,
                List.copyOf(variables), List.copyOf(body), labels, tables);
    }

    private Variable parameter(String text) {
        String declaration = text.trim().replaceFirst("^\\.param", "");
        declaration = declaration.replaceAll("\\.ptr\\b(\\s*\\.(global|shared|const|local|param))?", " ");
        try {
            // The alignment after .ptr is that of what the parameter points to.
            boolean pointer = text.contains(".ptr");
            return VariableParser.parse("param",
                    pointer ? declaration.replaceAll("\\.align\\s+\\d+", "") : declaration);
        } catch (RuntimeException e) {
            throw source.error(line, "parameter `" + text + "`: " + e.getMessage());
        }
    }

    private int[] numbers(String text, int at) {
        try {
            return Arrays.stream(text.split(",")).mapToInt(n -> Integer.parseInt(n.trim())).toArray();
        } catch (NumberFormatException e) {
            throw source.error(at, "a list of numbers is expected");
        }
    }

    private void body() {
        scopes.push(Scope.at(0));
        while (!scopes.isEmpty()) {
            char next = source.peek();
            int at = source.line();
            if (next == 0) {
                throw source.error(at, "the kernel's body is not closed");
            } else if (next == '{') {
                source.take();
                scopeCount++;
                scopes.push(Scope.at(body.size()));
            } else if (next == '}') {
                source.take();
                renameLabels(scopes.pop());
            } else {
                statement(at);
            }
        }
    }

    private void statement(int at) {
        String label = source.label();
        if (label != null) {
            lastLabel = label;
            if (labels.containsKey(label)) {
                lastLabel = label + "#" + labels.size();
                scopes.peek().symbols().put(label, lastLabel);
            }
            labels.put(lastLabel, body.size());
            return;
        }
        if (source.peek() == '.') {
            directive(at);
            return;
        }
        String text = source.until(";");
        source.take();
        try {
            instruction(text, at);
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw source.error(at, "malformed instruction, " + e.getMessage());
        }
    }

    /** Branches of a scope that came before a label of its own, whose name stood elsewhere already, go to that one. */
    private void renameLabels(Scope scope) {
        for (int i = scope.first(); i < body.size() && !scope.symbols().isEmpty(); i++) {
            Instruction instruction = body.get(i);
            if (instruction.opcode().equals("bra")
                    && instruction.operands().getFirst() instanceof Operand.Symbol(String name, long _)
                    && labels.containsKey(scope.symbols().get(name))) {
                body.set(i, instruction.withOperands(List.of(new Operand.Symbol(scope.symbols().get(name), 0))));
            }
        }
    }

    private void directive(int at) {
        String word = source.word();
        int second = word.indexOf('.', 1);
        String rest = second < 0 ? "" : word.substring(second) + " ";
        switch (second < 0 ? word : word.substring(0, second)) {
            case ".reg" -> {
                registers(rest + source.until(";"), at);
                source.take();
            }
            case ".param" -> callParameter(rest + source.until(";"), at);
            case ".callprototype" -> {
                source.until(";");
                source.take();
            }
            case ".shared", ".local" -> variables.add(PtxParser.variable(source, word, at));
            case ".pragma" -> {
                source.until(";");
                source.take();
            }
            case ".branchtargets" -> {
                tables.put(lastLabel, OperandParser.split(source.until(";")));
                source.take();
            }
            case ".loc" -> {
                while (source.peek() != 0 && source.line() == at) {
                    source.take();
                }
            }
            default -> throw source.error(at, "directive " + word + " is not supported in a kernel");
        }
    }

    /** A parameter or result of the calls in this scope. */
    private void callParameter(String declaration, int at) {
        source.take();
        try {
            Variable written = VariableParser.parse("param", declaration);
            String unique = written.name() + "#" + scopeCount;
            scopes.peek().symbols().put(written.name(), unique);
            variables.add(new Variable(unique, "param", written.type(), written.align(), written.bytes(),
                    written.initial(), written.pointers()));
        } catch (IllegalArgumentException e) {
            throw source.error(at, e.getMessage());
        }
    }

    private void registers(String text, int at) {
        int space = 0;
        String trimmed = text.trim();
        while (space < trimmed.length() && !Character.isWhitespace(trimmed.charAt(space))) {
            space++;
        }
        Type type = trimmed.isEmpty() ? null : Type.of(trimmed.substring(1, space));
        if (type == null) {
            throw source.error(at, "registers of this type are not supported");
        }
        for (String name : OperandParser.split(trimmed.substring(space))) {
            int bracket = name.indexOf('<');
            if (bracket < 0) {
                declare(name, type);
                continue;
            }
            int count = Integer.parseInt(name.substring(bracket + 1, name.indexOf('>')).trim());
            for (int i = 0; i < count; i++) {
                declare(name.substring(0, bracket) + i, type);
            }
        }
    }

    private void declare(String name, Type type) {
        String unique = scopes.size() == 1 ? name : name + "#" + scopeCount;
        scopes.peek().names().put(name, unique);
        registers.put(unique, type);
    }

    private void instruction(String text, int at) {
        String rest = text;
        Operand.Reg guard = null;
        if (rest.startsWith("@")) {
            int end = 1;
            while (!Character.isWhitespace(rest.charAt(end))) {
                end++;
            }
            Operand operand = operands.parse(rest.substring(1, end));
            if (!(operand instanceof Operand.Reg reg)) {
                throw new IllegalArgumentException("the guard is no register");
            }
            guard = reg;
            rest = rest.substring(end).trim();
        }
        int end = 0;
        while (end < rest.length() && !Character.isWhitespace(rest.charAt(end))) {
            end++;
        }
        String[] words = rest.substring(0, end).replace("::", "..").split("\\.");
        var parsed = new ArrayList<Operand>();
        for (String operand : OperandParser.split(rest.substring(end))) {
            parsed.add(operands.parse(operand));
        }
        body.add(new Instruction(at, guard, words[0],
                Arrays.asList(words).subList(1, words.length), List.copyOf(parsed)));
    }

    /** The unique name of a register in scope; special registers stand for themselves; null for what is none. */
    private String unique(String name) {
        for (Scope scope : scopes) {
            String unique = scope.names().get(name);
            if (unique != null) {
                return unique;
            }
        }
        return name.startsWith("%") ? name : null;
    }

    /** The unique name of a parameter of a call or of a label; any other name stands for itself. */
    private String symbol(String name) {
        for (Scope scope : scopes) {
            String unique = scope.symbols().get(name);
            if (unique != null) {
                return unique;
            }
        }
        return name;
    }
}
