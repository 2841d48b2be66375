package jdiffusion.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import jdiffusion.emulator.Dim3;
import jdiffusion.emulator.Watcher;
import jdiffusion.emulator.exec.WarpState;

/** Stops a warp where the user wants, and does there what the user says. */
final class Stepper implements Watcher {
    private static final String HELP = """
            step [N]            N instructions of PTX (1)
            next [N]            N lines of the source (1)
            continue            to the next breakpoint, or to the end
            break LINE          stop before a line of the PTX; break :LINE for one of the source; alone: list them
            delete [LINE]       forget a breakpoint, or all of them
            where               the instruction and its lanes
            list [N]            N lines of PTX around it (9)
            regs [LANE]         registers of a lane (of the lane that is looked at), as this function names them
            reg NAME [TYPE]     a register in all lanes, also read as another type, such as reg %r1 f32
            mem NAME [FROM [COUNT]] [TYPE]
                                an array in shared memory or of the launch; mem alone lists them
            lane N              look at this lane
            warp N, block N     look at this warp, this block; a block is N or X,Y,Z
            restart, quit""";

    /** Ends the launches: the user has seen enough, or wants to see it again. */
    static final class Ended extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final boolean again;

        Ended(boolean again) {
            super(null, null, false, false);
            this.again = again;
        }

        boolean again() {
            return again;
        }
    }

    private enum Until { INSTRUCTION, LINE, BREAKPOINT }

    private final SourceMap source;
    private final BufferedReader input;
    private final boolean strict;
    private final boolean prompted;
    private final PrintWriter out;
    private final Deque<String> waiting = new ArrayDeque<>();
    private final Set<Integer> breakpoints = new TreeSet<>();
    private final Set<Integer> sourceBreakpoints = new TreeSet<>();
    private Session session;
    private Launch launch;
    private Until until;
    private int left;
    private int lastSource;
    private long block;
    private long reached;
    private int warp;
    private int lane;

    /**
     * @param strict   whether a command that cannot be done ends everything
     * @param prompted whether the user sees that a command is awaited
     */
    Stepper(SourceMap source, BufferedReader input, boolean strict, boolean prompted, PrintWriter out) {
        this.source = source;
        this.input = input;
        this.strict = strict;
        this.prompted = prompted;
        this.out = out;
    }

    /** A launch begins: its first warp stops before its first instruction. */
    void begin(Session ofLaunch, Launch next) {
        session = ofLaunch;
        launch = next;
        until = Until.INSTRUCTION;
        left = 1;
        lastSource = 0;
        block = 0;
        reached = -1;
        warp = 0;
        out.println(next.text());
    }

    /** All launches are over; memory can still be looked at. True when they are to run again. */
    boolean end() {
        try {
            commands(null);
            return false;
        } catch (Ended e) {
            return e.again();
        }
    }

    @Override
    public void before(WarpState state) {
        long linear = linear(state.block());
        reached = linear;
        if (linear != block || state.warp() != warp) {
            return;
        }
        int at = source.source(state.line());
        boolean newLine = at != 0 && at != lastSource;
        lastSource = at == 0 ? lastSource : at;
        boolean stop = breakpoints.contains(state.line()) || newLine && sourceBreakpoints.contains(at)
                || (until == Until.INSTRUCTION || until == Until.LINE && newLine) && --left <= 0;
        if (stop) {
            where(state);
            commands(state);
        }
    }

    private long linear(Dim3 index) {
        return index.x() + (long) launch.grid().x() * (index.y() + (long) launch.grid().y() * index.z());
    }

    /** Does what the user says until a command lets the warp go on; {@code state} is null after the launches. */
    private void commands(WarpState state) {
        while (true) {
            String command = read();
            if (command == null) {
                throw new Ended(false);
            }
            try {
                if (!command.isBlank() && execute(command.strip().split("\\s+"), state)) {
                    return;
                }
            } catch (LabException e) {
                if (strict) {
                    throw e;
                }
                out.println(e.getMessage());
            }
            out.flush();
        }
    }

    private String read() {
        if (waiting.isEmpty()) {
            if (prompted) {
                out.print("(step) ");
            }
            out.flush();
            try {
                String line = input.readLine();
                if (line == null) {
                    return null;
                }
                waiting.addAll(Arrays.asList(line.split(";")));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return waiting.isEmpty() ? "" : waiting.removeFirst();
    }

    /** Does a command; true when the warp goes on. */
    private boolean execute(String[] words, WarpState state) {
        switch (words[0]) {
            case "step", "s" -> {
                return go(Until.INSTRUCTION, number(words, 1, 1), state);
            }
            case "next", "n" -> {
                if (source.lines().isEmpty()) {
                    throw LabException.misuse("next: the PTX does not say which lines of a source it is of (it was"
                            + " compiled without -lineinfo); use step");
                }
                return go(Until.LINE, number(words, 1, 1), state);
            }
            case "continue", "c" -> {
                return go(Until.BREAKPOINT, 1, state);
            }
            case "break", "b" -> setBreakpoint(words);
            case "delete" -> delete(words);
            case "where" -> where(there(state));
            case "list", "l" -> StepView.list(out, session.program(), there(state).line(), number(words, 1, 9));
            case "regs" -> StepView.registers(out, session.program(), there(state), lane(words, 1));
            case "reg" -> StepView.register(out, session.program(), there(state), words);
            case "mem" -> StepView.memory(out, session, state, words);
            case "lane" -> lane = lane(words, 1);
            case "warp" -> {
                return lookAtWarp(number(words, 1, -1), there(state));
            }
            case "block" -> {
                return lookAtBlock(words, there(state));
            }
            case "help", "?" -> out.println(HELP);
            case "restart" -> throw new Ended(true);
            case "quit", "q", "exit" -> throw new Ended(false);
            default -> throw LabException.misuse("there is no command '" + words[0] + "'; 'help' lists them");
        }
        return false;
    }

    private boolean go(Until where, int times, WarpState state) {
        there(state);
        until = where;
        left = times;
        return true;
    }

    private static WarpState there(WarpState state) {
        if (state == null) {
            throw LabException.misuse("the launches are over; 'mem' shows their arrays, 'restart' begins anew");
        }
        return state;
    }

    static int number(String[] words, int at, int otherwise) {
        if (at >= words.length) {
            if (otherwise < 0) {
                throw LabException.misuse(words[0] + ": a number is missing");
            }
            return otherwise;
        }
        if (!words[at].matches("\\d{1,9}")) {
            throw LabException.misuse(words[0] + ": '" + words[at] + "' is no number from 0 on");
        }
        return Integer.parseInt(words[at]);
    }

    private int lane(String[] words, int at) {
        int number = number(words, at, lane);
        if (number > 31) {
            throw LabException.misuse(words[0] + ": there are lanes 0 to 31, and no " + number);
        }
        return number;
    }

    private void setBreakpoint(String[] words) {
        if (words.length == 1) {
            breakpoints.forEach(line -> out.println("PTX line " + line));
            sourceBreakpoints.forEach(line -> out.println("source line " + line));
            if (breakpoints.isEmpty() && sourceBreakpoints.isEmpty()) {
                out.println("there are no breakpoints");
            }
            return;
        }
        String[] parts = words[1].startsWith(":") ? new String[] {words[0], words[1].substring(1)} : words;
        int line = number(parts, 1, -1);
        if (parts == words) {
            String text = session.program().module().text(line);
            if (!StepView.isInstruction(session.program(), line)) {
                throw LabException.misuse("break: in PTX line " + line + " is no instruction"
                        + (text.isEmpty() ? "" : ": " + text));
            }
            breakpoints.add(line);
        } else {
            if (!source.lines().containsValue(line)) {
                throw LabException.misuse("break: no instruction is of source line " + line + (source.lines().isEmpty()
                        ? "; the PTX was compiled without -lineinfo" : ""));
            }
            sourceBreakpoints.add(line);
        }
    }

    private void delete(String[] words) {
        if (words.length == 1) {
            breakpoints.clear();
            sourceBreakpoints.clear();
        } else if (!(words[1].startsWith(":") ? sourceBreakpoints : breakpoints).remove(
                number(new String[] {words[0], words[1].replace(":", "")}, 1, -1))) {
            throw LabException.misuse("delete: there is no breakpoint at " + words[1]);
        }
    }

    private boolean lookAtWarp(int number, WarpState state) {
        int warps = (int) Math.ceilDiv(launch.block().count(), 32);
        if (number >= warps) {
            throw LabException.misuse("warp: a block has warps 0 to " + (warps - 1) + ", and no " + number);
        }
        boolean other = number != state.warp();
        warp = number;
        return other && go(Until.INSTRUCTION, 1, state);
    }

    private boolean lookAtBlock(String[] words, WarpState state) {
        List<String> parts = words.length < 2 ? List.of() : List.of(words[1].split(","));
        int[] index = new int[3];
        for (int i = 0; i < parts.size() && i < 3; i++) {
            index[i] = number(new String[] {words[0], parts.get(i)}, 1, -1);
        }
        Dim3 grid = launch.grid();
        long wanted = parts.size() == 1 ? index[0] : linear(new Dim3(index[0], index[1], index[2]));
        if (parts.isEmpty() || parts.size() > 3 || wanted >= grid.count() || parts.size() > 1
                && (index[0] >= grid.x() || index[1] >= grid.y() || index[2] >= grid.z())) {
            throw LabException.misuse("block: a number from 0 to " + (grid.count() - 1)
                    + " is needed, or X,Y,Z in a grid of " + grid);
        }
        if (wanted < reached) {
            throw LabException.misuse("block: " + grid.at(wanted) + " has run already; 'restart' begins anew");
        }
        block = wanted;
        return wanted != linear(state.block()) && go(Until.INSTRUCTION, 1, state);
    }

    private void where(WarpState state) {
        int at = source.source(state.line());
        if (at > 0 && !source.text().isEmpty()) {
            out.println("%6s  %s".formatted(":" + at, source.text().get(at - 1).strip()));
        }
        out.println("%6d  %s".formatted(state.line(), state.text()));
        out.println("        block %s, warp %d, %s".formatted(state.block(), state.warp(), StepView.lanes(state)));
    }
}
