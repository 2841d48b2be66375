package jdiffusion.lab;

import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import jdiffusion.emulator.SharedArray;
import jdiffusion.emulator.exec.WarpState;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.Type;
import jdiffusion.lab.Session.Bound;

/** What a user who steps through a kernel sees of it. */
final class StepView {
    private static final int LANES = 32;
    private static final int COLUMNS = 4;
    private static final int SHOWN = 16;
    private static final int MOST_SHOWN = 4096;

    private StepView() {}

    static boolean isInstruction(LabProgram program, int line) {
        return java.util.stream.Stream.concat(program.module().kernels().stream(),
                program.module().functions().values().stream()).map(PtxFunction::body).flatMap(List::stream)
                .anyMatch(instruction -> instruction.line() == line);
    }

    /** Lines of PTX around one of them. */
    static void list(PrintWriter out, LabProgram program, int line, int count) {
        List<String> lines = program.module().lines();
        int first = Math.max(1, line - count / 2);
        for (int i = first; i <= Math.min(lines.size(), first + count - 1); i++) {
            out.println("%s%6d  %s".formatted(i == line ? ">" : " ", i, lines.get(i - 1).stripTrailing()));
        }
    }

    /** Which lanes are at the instruction, and what of the others. */
    static String lanes(WarpState state) {
        int elsewhere = state.live() & ~state.mask();
        int gone = ~state.live();
        return "lanes " + ranges(state.mask()) + (elsewhere == 0 ? "" : "; elsewhere " + ranges(elsewhere))
                + (gone == 0 ? "" : "; ended or not there " + ranges(gone));
    }

    /** Such as {@code 0-7,16}. */
    static String ranges(int mask) {
        var parts = new ArrayList<String>();
        for (int from = 0; from < LANES;) {
            if ((mask >>> from & 1) == 0) {
                from++;
                continue;
            }
            int to = from;
            while (to + 1 < LANES && (mask >>> to + 1 & 1) != 0) {
                to++;
            }
            parts.add(from == to ? "" + from : from + "-" + to);
            from = to + 1;
        }
        return String.join(",", parts);
    }

    /** What the names of registers end in where lanes are: nothing in a kernel, and its name in a function. */
    private static String suffix(LabProgram program, int line) {
        return program.module().functions().values().stream().filter(function -> function.body().stream()
                .anyMatch(instruction -> instruction.line() == line)).findFirst().map(f -> "@" + f.name()).orElse("");
    }

    /** The registers of a lane, without those that are 0 in the whole warp. */
    static void registers(PrintWriter out, LabProgram program, WarpState state, int lane) {
        String suffix = suffix(program, state.line());
        out.println("lane " + lane + " (thread " + (state.warp() * LANES + lane)
                + "), registers that are not 0 in the whole warp:");
        columns(out, state.registers().stream().filter(name -> suffix.isEmpty() ? name.indexOf('@') < 0
                : name.endsWith(suffix)).filter(name -> IntStream.range(0, LANES)
                .anyMatch(l -> state.bits(name, l) != 0)).map(name -> name.substring(0, name.length()
                - suffix.length()) + " = " + value(state.type(name), state.bits(name, lane))).toList());
    }

    /** A register in all lanes. */
    static void register(PrintWriter out, LabProgram program, WarpState state, String[] words) {
        String name = words.length < 2 ? "" : words[1];
        // What no kernel declares is a special register, which all functions share, or has its function's name.
        boolean declared = program.module().kernels().stream().anyMatch(k -> k.registers().containsKey(name));
        String local = name + suffix(program, state.line());
        String register = declared || state.registers().contains(local) ? local : name;
        if (!state.registers().contains(register)) {
            throw LabException.misuse("reg: there is no register '" + name + "' in use here; 'regs' lists them");
        }
        Type own = state.type(register);
        Type type = words.length < 3 ? own : Type.of(words[2]);
        if (type == null || own == Type.PRED && type != own || type.bits() > Math.max(own.bits(), 32)) {
            throw LabException.misuse("reg: " + register + " is a " + own.name().toLowerCase(Locale.ROOT)
                    + ", and cannot be read as '" + words[2] + "'");
        }
        columns(out, IntStream.range(0, LANES).mapToObj(lane -> "[%d] %s".formatted(lane,
                (state.live() >>> lane & 1) == 0 ? "-" : value(type, state.bits(register, lane)))).toList());
    }

    private static void columns(PrintWriter out, List<String> cells) {
        int width = cells.stream().mapToInt(String::length).max().orElse(0) + 2;
        for (int i = 0; i < cells.size(); i += COLUMNS) {
            var line = new StringBuilder("  ");
            for (String cell : cells.subList(i, Math.min(cells.size(), i + COLUMNS))) {
                line.append(cell).append(" ".repeat(width - cell.length()));
            }
            out.println(line.toString().stripTrailing());
        }
    }

    private static String value(Type type, long bits) {
        return switch (type) {
            case PRED -> bits != 0 ? "true" : "false";
            case F32 -> number(Float.intBitsToFloat((int) bits));
            case F64 -> number(Double.longBitsToDouble(bits));
            case F16 -> number(Float.float16ToFloat((short) bits));
            case BF16 -> number(Float.intBitsToFloat((int) bits << 16));
            case U8, U16, U32, U64 -> Long.toUnsignedString(type.bits() == 64 ? bits : bits & (1L << type.bits()) - 1);
            case B64 -> bits + (bits >= 0 && bits < 10 ? "" : " (0x" + Long.toHexString(bits) + ")");
            case B32, F16X2, BF16X2 -> (int) bits + (bits >= 0 && bits < 10 ? "" : " (0x"
                    + Integer.toHexString((int) bits) + ")");
            case S16, B16 -> Short.toString((short) bits);
            case S8, B8 -> Byte.toString((byte) bits);
            default -> Long.toString(type.bits() == 32 ? (int) bits : bits);
        };
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e6 ? String.format(Locale.ROOT, "%.1f", value)
                : String.format(Locale.ROOT, "%.7g", value);
    }

    /** Elements of an array: {@code mem NAME [FROM [COUNT]] [TYPE]}; without a name, which arrays there are. */
    static void memory(PrintWriter out, Session session, WarpState state, String[] words) {
        if (words.length == 1) {
            names(out, session, state);
            return;
        }
        DataType given = DataType.named(words[words.length - 1]);
        int last = given == null || words.length == 2 ? words.length : words.length - 1;
        int from = last > 2 ? Stepper.number(words, 2, 0) : 0;
        int count = last > 3 ? Stepper.number(words, 3, 0) : SHOWN;
        if (last > 4 || count > MOST_SHOWN) {
            throw LabException.misuse("mem: write mem NAME [FROM [COUNT]] [TYPE]; at most " + MOST_SHOWN
                    + " elements, and types are " + DataType.names());
        }
        try (Arena arena = Arena.ofConfined()) {
            SharedArray shared = shared(state, words[1]);
            Bound bound = session.arrays().get(words[1]);
            if (shared == null && bound == null) {
                throw LabException.misuse("mem: no array is named " + words[1] + "; 'mem' alone lists them");
            }
            DataType type = given != null ? given : shared != null ? DataType.F32 : bound.now().type();
            MemorySegment bytes = shared == null ? bound.now().data() : copy(state, shared, arena);
            long most = bytes.byteSize() / type.bytes();
            if (from >= most) {
                throw LabException.misuse("mem: " + words[1] + " has " + most + " elements of type " + type.label()
                        + ", and none at " + from);
            }
            var cells = new ArrayList<String>();
            for (int i = from; i < Math.min(most, (long) from + count); i++) {
                double value = type.get(bytes, i);
                cells.add("[" + i + "] " + (type.isFloat() ? number(value)
                        : String.format(Locale.ROOT, "%.0f", value)));
            }
            columns(out, cells);
        }
    }

    private static void names(PrintWriter out, Session session, WarpState state) {
        if (state != null) {
            for (SharedArray array : state.sharedArrays()) {
                out.println("%s: shared memory, %d bytes at %d".formatted(Names.variable(array.name()),
                        size(state, array), array.offset()));
            }
        }
        session.arrays().values().forEach(bound -> out.println("%s: %s %s".formatted(bound.name(),
                bound.now().type().label(), bound.now().shapeText())));
    }

    private static int size(WarpState state, SharedArray array) {
        return array.bytes() == 0 ? state.sharedBytes() - array.offset() : array.bytes();
    }

    private static SharedArray shared(WarpState state, String name) {
        return state == null ? null : state.sharedArrays().stream().filter(array -> array.name().equals(name)
                || Names.variable(array.name()).equals(name)).findFirst().orElse(null);
    }

    private static MemorySegment copy(WarpState state, SharedArray array, Arena arena) {
        int bytes = size(state, array);
        MemorySegment copy = arena.allocate(Math.max(1, bytes), 8);
        for (int i = 0; i < bytes; i++) {
            copy.set(ValueLayout.JAVA_BYTE, i, state.sharedByte(array.offset() + i));
        }
        return bytes == 0 ? copy.asSlice(0, 0) : copy;
    }
}
