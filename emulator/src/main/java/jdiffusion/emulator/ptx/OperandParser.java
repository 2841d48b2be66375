package jdiffusion.emulator.ptx;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** Reads the operands of one instruction. */
final class OperandParser {
    private final UnaryOperator<String> scope;
    private final UnaryOperator<String> symbols;

    /**
     * {@code scope} maps a register's written name to its unique one, and names that are no registers to null;
     * {@code symbols} does the same for those.
     */
    OperandParser(UnaryOperator<String> scope, UnaryOperator<String> symbols) {
        this.scope = scope;
        this.symbols = symbols;
    }

    /** Splits at commas outside braces and brackets. */
    static List<String> split(String list) {
        var parts = new ArrayList<String>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i < list.length(); i++) {
            char c = list.charAt(i);
            depth += c == '{' || c == '[' || c == '(' ? 1 : c == '}' || c == ']' || c == ')' ? -1 : 0;
            if (c == ',' && depth == 0) {
                parts.add(list.substring(from, i).trim());
                from = i + 1;
            }
        }
        if (!list.substring(from).isBlank()) {
            parts.add(list.substring(from).trim());
        }
        return parts;
    }

    /** @throws IllegalArgumentException when the text is no operand */
    Operand parse(String text) {
        if (text.isEmpty()) {
            throw new IllegalArgumentException("an operand is missing");
        }
        char first = text.charAt(0);
        if (first == '{' || first == '(') {
            var elements = new ArrayList<Operand>();
            for (String part : split(text.substring(1, text.lastIndexOf(first == '{' ? '}' : ')')))) {
                elements.add(parse(part));
            }
            return new Operand.Vector(List.copyOf(elements));
        }
        if (first == '[') {
            List<String> parts = split(text.substring(1, text.lastIndexOf(']')));
            // A tensor map comes with coordinates.
            return parts.size() == 2 ? new Operand.Vector(List.of(address(parts.getFirst()), parse(parts.getLast())))
                    : address(parts.getFirst());
        }
        if (text.equals("_")) {
            return new Operand.Sink();
        }
        int bar = text.indexOf('|');
        if (bar > 0) {
            return new Operand.Pair(parse(text.substring(0, bar).trim()), parse(text.substring(bar + 1).trim()));
        }
        if (first == '!') {
            return new Operand.Reg(scope.apply(text.substring(1).trim()), true);
        }
        if (Character.isDigit(first) || first == '-' || first == '+') {
            return number(text);
        }
        return named(text);
    }

    private Operand named(String text) {
        if (text.equals("WARP_SZ")) {
            return new Operand.Imm(32, null);
        }
        int plus = text.indexOf('+');
        if (plus > 0) {
            return new Operand.Symbol(symbols.apply(text.substring(0, plus).trim()),
                    integer(text.substring(plus + 1)));
        }
        if (text.startsWith("generic(")) {
            return named(text.substring(8, text.indexOf(')')).trim());
        }
        String name = scope.apply(text);
        return name == null ? new Operand.Symbol(symbols.apply(text), 0) : new Operand.Reg(name, false);
    }

    private Operand address(String text) {
        int sign = Math.max(text.indexOf('+'), text.indexOf('-', 1));
        int plus = text.indexOf('+');
        if (plus > 0) {
            return new Operand.Address(parse(text.substring(0, plus).trim()), integer(text.substring(plus + 1)));
        }
        if (sign > 0) {
            return new Operand.Address(parse(text.substring(0, sign).trim()), integer(text.substring(sign)));
        }
        return new Operand.Address(parse(text), 0);
    }

    static Operand.Imm number(String text) {
        if (text.startsWith("0f") || text.startsWith("0F")) {
            return new Operand.Imm(Long.parseUnsignedLong(text.substring(2), 16), Type.F32);
        }
        if (text.startsWith("0d") || text.startsWith("0D")) {
            return new Operand.Imm(Long.parseUnsignedLong(text.substring(2), 16), Type.F64);
        }
        if (text.contains(".")) {
            return new Operand.Imm(Double.doubleToRawLongBits(Double.parseDouble(text)), Type.F64);
        }
        return new Operand.Imm(integer(text), null);
    }

    static long integer(String text) {
        String digits = text.trim();
        boolean negative = digits.startsWith("-");
        digits = digits.substring(negative || digits.startsWith("+") ? 1 : 0).trim();
        if (digits.endsWith("U")) {
            digits = digits.substring(0, digits.length() - 1);
        }
        long value;
        if (digits.startsWith("0x") || digits.startsWith("0X")) {
            value = Long.parseUnsignedLong(digits.substring(2), 16);
        } else if (digits.startsWith("0b")) {
            value = Long.parseUnsignedLong(digits.substring(2), 2);
        } else if (digits.length() > 1 && digits.startsWith("0")) {
            value = Long.parseUnsignedLong(digits, 8);
        } else {
            value = Long.parseUnsignedLong(digits);
        }
        return negative ? -value : value;
    }
}
