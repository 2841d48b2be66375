package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongFunction;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates instructions of a whole warp (memory, matrices, exchanges) into calls with slots as arguments. */
final class WarpEmitter {
    static final ClassDesc WARP = ClassDesc.of(Warp.class.getName());
    private static final Set<String> IGNORED = Set.of("prefetch", "pmevent", "prefetchu", "discard", "applypriority",
            "createpolicy", "griddepcontrol");

    private final CodeBuilder code;
    private final Layout layout;
    private final ToLongFunction<String> addresses;
    private final List<WarpgroupProduct> products;
    private final boolean peers;

    /**
     * Code of one basic block.
     *
     * @param products of the kernel's warpgroups, to which those of this code are added
     * @param peers    whether generic addresses may lie in the shared memory of other blocks
     */
    WarpEmitter(CodeBuilder code, Layout layout, ToLongFunction<String> addresses, List<WarpgroupProduct> products,
            boolean peers) {
        this.peers = peers;
        this.products = products;
        this.code = code;
        this.layout = layout;
        this.addresses = addresses;
    }

    /** Emits one instruction; the lanes that take part are in the local {@link LaneCode#SCRATCH}. */
    void emit(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        switch (instruction.opcode()) {
            case "ld", "ldu", "st", "atom", "red", "mapa", "getctarank", "isspacep" ->
                    new MemoryEmitter(code, this, peers).emit(instruction, site);
            case "cp" -> copy(instruction, site);
            case "mma" -> new MatrixEmitter(code, this).multiply(instruction, site);
            case "stmatrix" -> new MatrixEmitter(code, this).store(instruction, site);
            case "ldmatrix" -> new MatrixEmitter(code, this).load(instruction, site);
            case "shfl" -> shuffle(instruction, site);
            case "vote" -> vote(instruction, site);
            case "match" -> {
                boolean wide = instruction.type().bits() == 64;
                int a = wide ? longSlot(o.get(1)) : intSlot(o.get(1));
                if (instruction.has("any")) {
                    call(Shuffles.class, "matchAny", site, intSlot(o.get(0)), a, wide ? 1 : 0, intSlot(o.get(2)));
                } else {
                    Operand to = o.get(0) instanceof Operand.Pair pair ? pair.first() : o.get(0);
                    int p = o.get(0) instanceof Operand.Pair pair ? predicateSlot(pair.second()) : -1;
                    call(Shuffles.class, "matchAll", site, intSlot(to), p, a, wide ? 1 : 0, intSlot(o.get(2)));
                }
            }
            case "movmatrix" -> new MatrixEmitter(code, this).transpose(instruction, site);
            case "activemask" -> call(Shuffles.class, "activeMask", intSlot(o.get(0)));
            case "redux" -> reduce(instruction, site);
            case "wmma" -> new MatrixEmitter(code, this).fragments(instruction, site);
            case "mbarrier" -> new BulkEmitter(code, this).barrier(instruction, site);
            case "wgmma" -> new MatrixEmitter(code, this).warpgroup(instruction, site, products);
            case "elect" -> {
                require(o.get(0) instanceof Operand.Pair);
                var pair = (Operand.Pair) o.get(0);
                call(Shuffles.class, "elect", site, intSlot(pair.first()), predicateSlot(pair.second()),
                        intSlot(o.get(1)));
            }
            case "frame" -> call(Calls.class, "frame", longSlot(o.get(0)),
                    (int) addresses.applyAsLong(((Operand.Symbol) o.get(1)).name()));
            case "nanosleep" -> code.aload(LaneCode.WARP).invokevirtual(WARP, "yield", MethodTypeDesc.of(CD_void));
            case "bar", "barrier" -> {
                require(instruction.has("warp"));
                call(Barriers.class, "meet", intSlot(o.get(0)), site);
            }
            case "fence", "membar" -> {
                if (!instruction.has("proxy")) {
                    call(Flags.class, "fence", instruction.modifiers().getLast().equals("cta") ? 1 : 0);
                }
                if (instruction.has("proxy") && instruction.has("async") && !instruction.has("global")) {
                    call(AsyncChecker.class, "fence");
                }
            }
            default -> require(IGNORED.contains(instruction.opcode()));
        }
    }

    /** Reads a clock for the lane-local instruction that comes next. */
    void clock(String register) {
        code.aload(LaneCode.WARP).iload(LaneCode.MASK).loadConstant(layout.slot(register))
                .loadConstant(Specials.type(register) == Type.U64 ? 0 : register.endsWith("_hi") ? 1 : 2)
                .invokestatic(ClassDesc.of(Specials.class.getName()), "readClock",
                        MethodTypeDesc.of(CD_void, WARP, CD_int, CD_int, CD_int));
    }

    /** A call of one of CUDA's own functions. */
    void system(String callee, Instruction call, int site) {
        List<Operand> results = elements(call.operands().get(2));
        int[] a = elements(call.operands().get(3)).stream()
                .mapToInt(o -> (int) addresses.applyAsLong(((Operand.Symbol) o).name())).toArray();
        if (callee.equals("vprintf")) {
            call(Printing.class, "print", site, a[0], a[1], results.isEmpty() ? -1
                    : (int) addresses.applyAsLong(((Operand.Symbol) results.getFirst()).name()));
        } else {
            call(Printing.class, "fail", site, a[0], a[1], a[2], a[3]);
        }
    }

    /** {@code bar.red}: leaves the next block on the stack. */
    void barrierReduction(Instruction instruction, int next, int site) {
        List<Operand> o = instruction.operands();
        Operand.Reg source = (Operand.Reg) o.getLast();
        int operation = instruction.has("popc") ? NamedBarriers.COUNT
                : instruction.has("and") ? NamedBarriers.AND : NamedBarriers.OR;
        int d = operation == NamedBarriers.COUNT ? intSlot(o.get(0)) : predicateSlot(o.get(0));
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(intSlot(o.get(1)))
                .loadConstant(o.size() > 3 ? intSlot(o.get(2)) : -1).loadConstant(operation).loadConstant(d)
                .loadConstant(predicateSlot(source)).loadConstant(source.negated() ? 1 : 0).loadConstant(next)
                .iload(LaneCode.MASK).loadConstant(site);
        var parameters = new ArrayList<ClassDesc>(List.of(WARP));
        parameters.addAll(Collections.nCopies(10, CD_int));
        code.invokestatic(ControlEmitter.BARRIERS, "barrierReduction", MethodTypeDesc.of(CD_int, parameters));
    }

    private void reduce(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        boolean unsigned = instruction.type() == Type.U32;
        int operation = -1;
        for (String modifier : instruction.modifiers()) {
            operation = switch (modifier) {
                case "add" -> Atomics.ADD;
                case "and" -> Atomics.AND;
                case "or" -> Atomics.OR;
                case "xor" -> Atomics.XOR;
                case "min" -> unsigned ? Atomics.MIN_UNSIGNED : Atomics.MIN;
                case "max" -> unsigned ? Atomics.MAX_UNSIGNED : Atomics.MAX;
                default -> operation;
            };
        }
        require(operation >= 0 && instruction.type().bits() == 32 && instruction.type() != Type.F32);
        call(Shuffles.class, "redux", site, operation, intSlot(o.get(0)), intSlot(o.get(1)), intSlot(o.get(2)));
    }

    static void require(boolean supported) {
        if (!supported) {
            throw new IllegalArgumentException("this instruction is not supported");
        }
    }

    /** Calls a static method with the warp, the lanes and some ints. */
    void call(Class<?> owner, String name, int... arguments) {
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH);
        for (int argument : arguments) {
            code.loadConstant(argument);
        }
        var parameters = new ArrayList<ClassDesc>();
        parameters.add(WARP);
        parameters.addAll(Collections.nCopies(arguments.length + 1, CD_int));
        code.invokestatic(ClassDesc.of(owner.getName()), name, MethodTypeDesc.of(CD_void, parameters));
    }

    /** Leaves an array of ints on the stack. */
    void ints(int[] values) {
        code.loadConstant(values.length).newarray(TypeKind.INT);
        for (int i = 0; i < values.length; i++) {
            code.dup().loadConstant(i).loadConstant(values[i]).iastore();
        }
    }

    /** Slot of a 32-bit register or constant. */
    int intSlot(Operand operand) {
        switch (operand) {
            case Operand.Imm imm -> {
                return layout.constant((int) imm.bits());
            }
            case Operand.Symbol symbol -> {
                return layout.constant((int) (addresses.applyAsLong(symbol.name()) + symbol.offset()));
            }
            case Operand.Sink _ -> {
                return layout.slot(layout.scratch(Type.B32));
            }
            case Operand.Reg reg -> {
                Type type = layout.type(reg.name());
                require(type != null && type != Type.PRED && type.bits() <= 32);
                return layout.slot(reg.name());
            }
            default -> throw notOne(operand);
        }
    }

    /** Slot of a 64-bit register or constant. */
    int longSlot(Operand operand) {
        switch (operand) {
            case Operand.Imm imm -> {
                return layout.constant(imm.bits());
            }
            case Operand.Symbol symbol -> {
                return layout.constant(addresses.applyAsLong(symbol.name()) + symbol.offset());
            }
            case Operand.Sink _ -> {
                return layout.slot(layout.scratch(Type.B64));
            }
            case Operand.Reg reg -> {
                Type type = layout.type(reg.name());
                require(type != null && type.bits() == 64);
                return layout.slot(reg.name());
            }
            default -> throw notOne(operand);
        }
    }

    private static IllegalArgumentException notOne(Operand operand) {
        return new IllegalArgumentException("a register is expected, and there is " + switch (operand) {
            case Operand.Vector vector -> "a vector of " + vector.elements().size();
            case Operand.Address _ -> "an address";
            default -> "a pair";
        });
    }

    /** A slot of 64 bits of a register that the PTX does not name. */
    int newLongSlot() {
        return layout.slot(layout.scratch(Type.B64));
    }

    int predicateSlot(Operand operand) {
        if (operand instanceof Operand.Sink) {
            return -1;
        }
        require(operand instanceof Operand.Reg reg && layout.type(reg.name()) == Type.PRED);
        return layout.slot(((Operand.Reg) operand).name());
    }

    static List<Operand> elements(Operand operand) {
        return operand instanceof Operand.Vector vector ? vector.elements() : List.of(operand);
    }

    /** Fills the warp's lane addresses from an address operand. */
    void address(Operand operand) {
        if (!(operand instanceof Operand.Address address)) {
            throw new IllegalArgumentException("an address is expected");
        }
        code.aload(LaneCode.WARP);
        if (address.base() instanceof Operand.Reg reg) {
            Type type = layout.type(reg.name());
            require(type != null && type.bits() >= 32);
            code.loadConstant(layout.slot(reg.name()));
            if (type.bits() == 64) {
                code.loadConstant(address.offset());
                code.invokevirtual(WARP, "address64", MethodTypeDesc.of(CD_void, CD_int, CD_long));
            } else {
                code.loadConstant((int) address.offset());
                code.invokevirtual(WARP, "address32", MethodTypeDesc.of(CD_void, CD_int, CD_int));
            }
            return;
        }
        long base = address.base() instanceof Operand.Symbol symbol
                ? addresses.applyAsLong(symbol.name()) + symbol.offset() : ((Operand.Imm) address.base()).bits();
        code.loadConstant(base + address.offset());
        code.invokevirtual(WARP, "addressConstant", MethodTypeDesc.of(CD_void, CD_long));
    }

    private void copy(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        require(instruction.has("async"));
        if (instruction.has("bulk")) {
            new BulkEmitter(code, this).copy(instruction, site);
            return;
        }
        if (instruction.has("mbarrier")) {
            require(instruction.has("arrive"));
            address(o.get(0));
            if (!instruction.has("shared")) {
                call(GenericMemory.class, "toShared");
            }
            call(AsyncCopies.class, "arrive", site, instruction.has("noinc") ? 1 : 0);
        } else if (instruction.has("commit_group")) {
            call(AsyncCopies.class, "commit");
        } else if (instruction.has("wait_all")) {
            call(AsyncCopies.class, "await", -1);
        } else if (instruction.has("wait_group")) {
            call(AsyncCopies.class, "await", (int) ((Operand.Imm) o.get(0)).bits());
        } else {
            address(o.get(0));
            require(o.get(1) instanceof Operand.Address);
            var source = (Operand.Address) o.get(1);
            int bytes = (int) ((Operand.Imm) o.get(2)).bits();
            require(bytes == 4 || bytes == 8 || bytes == 16);
            int sizes = sizes(o, bytes);
            code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(site).loadConstant(bytes)
                    .loadConstant(longSlot(source.base())).loadConstant(source.offset()).loadConstant(sizes);
            code.invokestatic(ClassDesc.of(AsyncCopies.class.getName()), "issue",
                    MethodTypeDesc.of(CD_void, WARP, CD_int, CD_int, CD_int, CD_int, CD_long, CD_int));
        }
    }

    /** Slot of the source size; a predicate operand (ignore-src) becomes size 0 where it holds. */
    private int sizes(List<Operand> o, int bytes) {
        if (o.size() < 4) {
            return -1;
        }
        if (!(o.get(3) instanceof Operand.Reg reg) || layout.type(reg.name()) != Type.PRED) {
            return intSlot(o.get(3));
        }
        int slot = layout.slot(layout.scratch(Type.B32));
        call(AsyncCopies.class, "ignoring", slot, layout.slot(reg.name()), reg.negated() ? 1 : 0, bytes);
        return slot;
    }

    private void shuffle(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        int mode = instruction.has("idx") ? Shuffles.IDX : instruction.has("up") ? Shuffles.UP
                : instruction.has("down") ? Shuffles.DOWN : Shuffles.BFLY;
        Operand to = o.get(0) instanceof Operand.Pair pair ? pair.first() : o.get(0);
        int p = o.get(0) instanceof Operand.Pair pair ? predicateSlot(pair.second()) : -1;
        call(Shuffles.class, "shfl", site, mode, intSlot(to), p, intSlot(o.get(1)), intSlot(o.get(2)),
                intSlot(o.get(3)), intSlot(o.get(4)));
    }

    private void vote(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        boolean negated = o.get(1) instanceof Operand.Reg reg && reg.negated();
        int p = predicateSlot(o.get(1));
        String name = instruction.has("ballot") ? "voteBallot" : instruction.has("any") ? "voteAny"
                : instruction.has("all") ? "voteAll" : "voteUni";
        int d = instruction.has("ballot") ? intSlot(o.get(0)) : predicateSlot(o.get(0));
        call(Shuffles.class, name, site, d, p, negated ? 1 : 0, intSlot(o.get(2)));
    }
}
