package jdiffusion.emulator.ptx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Reads the declaration of a variable or parameter, without its semicolon. */
final class VariableParser {

    private VariableParser() {}

    /**
     * Reads e.g. {@code .align 4 .b8 tab[64] = {0, 1}}.
     *
     * @param declaration everything after the state space
     * @throws IllegalArgumentException when it is malformed
     */
    static Variable parse(String space, String declaration) {
        String[] halves = declaration.split("=", 2);
        String head = halves[0].trim();
        Type type = null;
        int align = 0;
        String[] words = head.replace("[", " [").split("\\s+");
        int i = 0;
        for (; i < words.length && words[i].startsWith("."); i++) {
            if (words[i].equals(".align")) {
                align = Integer.parseInt(words[++i]);
            } else if (Type.of(words[i].substring(1)) != null) {
                type = Type.of(words[i].substring(1));
            }
        }
        if (type == null || i == words.length) {
            throw new IllegalArgumentException("a variable without type or name");
        }
        String name = words[i];
        long count = 1;
        String dimensions = String.join("", Arrays.asList(words).subList(i + 1, words.length));
        for (String dimension : dimensions.isEmpty() ? new String[0] : dimensions.substring(1).split("\\[")) {
            String number = dimension.replace("]", "").trim();
            count *= number.isEmpty() ? 0 : OperandParser.integer(number);
        }
        var pointers = new ArrayList<Variable.Pointer>();
        byte[] initial = halves.length == 1 ? new byte[0] : initial(type, halves[1].trim(), pointers);
        return new Variable(name, space, type, Math.max(align, type.bytes()), count * type.bytes(), initial,
                pointers);
    }

    private static byte[] initial(Type type, String text, List<Variable.Pointer> pointers) {
        List<String> values = OperandParser.split(text.replace("{", "").replace("}", ""));
        var buffer = ByteBuffer.allocate(values.size() * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (String value : values) {
            long bits = 0;
            if (Character.isDigit(value.charAt(0)) || value.charAt(0) == '-') {
                bits = OperandParser.number(value).bits();
            } else {
                String symbol = value.startsWith("generic(") ? value.substring(8, value.indexOf(')')) : value;
                String[] sum = symbol.split("\\+");
                pointers.add(new Variable.Pointer(buffer.position(), sum[0].trim(),
                        sum.length > 1 ? OperandParser.integer(sum[1]) : 0));
            }
            switch (type.bytes()) {
                case 1 -> buffer.put((byte) bits);
                case 2 -> buffer.putShort((short) bits);
                case 4 -> buffer.putInt((int) bits);
                default -> buffer.putLong(bits);
            }
        }
        return buffer.array();
    }
}
