package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates loads, stores, atomics and what tells where addresses lie. */
final class MemoryEmitter {
    private final CodeBuilder code;
    private final WarpEmitter warp;
    private final boolean peers;

    /** @param peers whether generic addresses may lie in the shared memory of other blocks */
    MemoryEmitter(CodeBuilder code, WarpEmitter warp, boolean peers) {
        this.code = code;
        this.warp = warp;
        this.peers = peers;
    }

    void emit(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        switch (instruction.opcode()) {
            case "ld", "ldu" -> {
                access(instruction, site, o.get(0), o.get(1), "load");
                boolean isVolatile = instruction.has("volatile");
                boolean yields = instruction.has("acquire") || isVolatile && !instruction.has("shared")
                        || isOfCluster(instruction);
                if (yields || isVolatile || instruction.has("relaxed")) {
                    code.aload(LaneCode.WARP).invokevirtual(WarpEmitter.WARP, yields ? "yield" : "yieldSoon",
                            MethodTypeDesc.of(CD_void));
                }
            }
            case "st" -> {
                if (instruction.has("param")) {
                    throw new IllegalArgumentException("parameters of a kernel are constant");
                }
                if (instruction.has("async")) {
                    new BulkEmitter(code, warp).store(instruction, site);
                } else {
                    access(instruction, site, o.get(1), o.get(0), "store");
                }
            }
            case "atom" -> atomic(instruction, site, 1);
            case "red" -> {
                if (instruction.has("async")) {
                    new BulkEmitter(code, warp).store(instruction, site);
                } else {
                    atomic(instruction, site, 0);
                }
            }
            case "isspacep" -> isInside(instruction);
            default -> clusterAddress(instruction, site);
        }
    }

    static Class<?> space(Instruction instruction) {
        for (String modifier : instruction.modifiers()) {
            switch (modifier) {
                case "global", "const" -> {
                    return GlobalMemory.class;
                }
                case "shared" -> {
                    return isOfCluster(instruction) ? ClusterMemory.class : SharedMemory.class;
                }
                case "local" -> {
                    return LocalMemory.class;
                }
                case "param" -> {
                    return Parameters.class;
                }
                default -> { }
            }
        }
        return GenericMemory.class;
    }

    /** Whether an instruction accesses shared memory of all blocks of the cluster: {@code .shared::cluster}. */
    static boolean isOfCluster(Instruction instruction) {
        return Collections.indexOfSubList(instruction.modifiers(), List.of("shared", "", "cluster")) >= 0;
    }

    private void clusterAddress(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        boolean map = instruction.opcode().equals("mapa");
        boolean wide = instruction.type().bits() == 64;
        var arguments = new ArrayList<Integer>(List.of(site));
        if (wide) {
            arguments.add(instruction.has("shared") ? 0 : 1);
        }
        WarpEmitter.require(wide || instruction.has("shared"));
        arguments.add(wide && map ? warp.longSlot(o.get(0)) : warp.intSlot(o.get(0)));
        arguments.add(wide ? warp.longSlot(o.get(1)) : warp.intSlot(o.get(1)));
        if (map) {
            arguments.add(warp.intSlot(o.get(2)));
        }
        warp.call(ClusterAddresses.class, (map ? "map" : "rank") + (wide ? 64 : 32),
                arguments.stream().mapToInt(Integer::intValue).toArray());
    }

    private void isInside(Instruction instruction) {
        List<Operand> o = instruction.operands();
        long window = instruction.has("shared") ? GenericMemory.SHARED : instruction.has("local") ? GenericMemory.LOCAL
                : instruction.has("param") ? GenericMemory.PARAMETERS : 0;
        WarpEmitter.require(window != 0 || instruction.has("global"));
        warp.call(ClusterAddresses.class, "isInside", warp.predicateSlot(o.get(0)), warp.longSlot(o.get(1)),
                (int) (window / GenericMemory.WINDOW), instruction.has("shared") && !isOfCluster(instruction) ? 1 : 0);
    }

    /**
     * What comes next is for lanes whose generic addresses lie in other blocks' memory; {@link #others} is the rest.
     */
    private void peers() {
        code.iload(LaneCode.SCRATCH).istore(LaneCode.OTHERS).aload(LaneCode.WARP).iload(LaneCode.SCRATCH)
                .invokestatic(ClassDesc.of(ClusterMemory.class.getName()), "peers", MethodTypeDesc.of(CD_int,
                        WarpEmitter.WARP, CD_int))
                .istore(LaneCode.SCRATCH);
    }

    private void others() {
        code.iload(LaneCode.OTHERS).iload(LaneCode.SCRATCH).ixor().istore(LaneCode.SCRATCH);
    }

    private void access(Instruction instruction, int site, Operand data, Operand where, String verb) {
        Type type = instruction.type();
        List<Operand> parts = WarpEmitter.elements(data);
        int n = parts.size();
        WarpEmitter.require(n == 1 || n == 2 && type.bytes() <= 8 || n == 4 && type.bytes() <= 4);
        warp.address(where);
        int[] d = new int[4];
        for (int i = 0; i < n; i++) {
            d[i] = type.bits() == 64 ? warp.longSlot(parts.get(i)) : warp.intSlot(parts.get(i));
        }
        Class<?> space = space(instruction);
        if (peers && space == GenericMemory.class) {
            peers();
            access(ClusterMemory.class, type, verb, site, n, d);
            others();
        }
        access(space, type, verb, site, n, d);
    }

    private void access(Class<?> space, Type type, String verb, int site, int n, int[] d) {
        if (type.bits() == 64) {
            warp.call(space, verb + "64", site, n, d[0], d[1], d[2], d[3]);
        } else if (type.bits() == 32) {
            warp.call(space, verb + "32", site, n, d[0], d[1], d[2], d[3]);
        } else {
            warp.call(space, verb + "Small", site, type.bytes(), type.isSigned() ? 1 : 0, n, d[0], d[1], d[2], d[3]);
        }
    }

    private void atomic(Instruction instruction, int site, int results) {
        Type type = instruction.type();
        List<Operand> o = instruction.operands();
        if (Classification.isVectorAtomic(instruction)) {
            vectorAtomic(instruction, site, results);
            return;
        }
        int operation = instruction.modifiers().stream().mapToInt(name -> Atomics.operation(name, type))
                .filter(found -> found >= 0).findFirst().orElse(-1);
        Class<?> space = space(instruction);
        boolean halves = operation == Atomics.ADD_F16 || operation == Atomics.ADD_BF16;
        WarpEmitter.require(operation >= 0 && (halves || type.bits() >= 32 && type != Type.F16X2 && type != Type.BF16X2
                || type == Type.B16 && (operation == Atomics.CAS || operation == Atomics.EXCH)));
        warp.address(o.get(results));
        boolean wide = type.bits() == 64;
        int d = results == 0 ? -1 : wide ? warp.longSlot(o.get(0)) : warp.intSlot(o.get(0));
        int b = wide ? warp.longSlot(o.get(results + 1)) : warp.intSlot(o.get(results + 1));
        int c = o.size() <= results + 2 ? b : wide ? warp.longSlot(o.get(results + 2))
                : warp.intSlot(o.get(results + 2));
        boolean generic = peers && space == GenericMemory.class;
        if (generic) {
            peers();
        }
        if (generic || space == ClusterMemory.class) {
            warp.call(ClusterMemory.class, "atomic", site, type.bits(), operation, d, b, c);
        }
        if (space == ClusterMemory.class) {
            return;
        }
        if (generic) {
            others();
        }
        String name = (space == SharedMemory.class ? "shared" : space == GenericMemory.class ? "generic" : "global")
                + type.bits();
        warp.call(Atomics.class, name, site, operation, d, b, c);
    }

    private void vectorAtomic(Instruction instruction, int site, int results) {
        List<Operand> o = instruction.operands();
        Type type = instruction.type();
        Class<?> space = space(instruction);
        int n = instruction.has("v2") ? 2 : instruction.has("v4") ? 4 : 8;
        if (space != GlobalMemory.class && space != GenericMemory.class) {
            throw new IllegalArgumentException("atomics of vectors are for global memory alone");
        }
        List<String> names = type == Type.F32 ? List.of("add") : List.of("add", "min", "max");
        String name = instruction.modifiers().stream().filter(names::contains).findFirst().orElse(null);
        boolean isHalf = type == Type.F16 || type == Type.BF16;
        boolean isWord = type == Type.F32 || type == Type.F16X2 || type == Type.BF16X2;
        if (name == null || !isHalf && !isWord || type.bytes() * n > 16) {
            throw new IllegalArgumentException("atomics of vectors are add of v2 and v4 of f32, and add, min and max of"
                    + " v2 and v4 of f16, bf16, f16x2 and bf16x2 and of v8 of f16 and bf16");
        }
        warp.address(o.get(results));
        int[] b = slots(o.get(results + 1), n);
        int[] d = results == 0 || o.get(0) instanceof Operand.Sink ? new int[0] : slots(o.get(0), n);
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(site)
                .loadConstant(Atomics.operation(name, type)).loadConstant(type.bytes());
        warp.ints(b);
        warp.ints(d);
        ClassDesc ints = ClassDesc.ofDescriptor("[I");
        code.invokestatic(ClassDesc.of(VectorAtomics.class.getName()), space == GlobalMemory.class ? "global"
                : "generic", MethodTypeDesc.of(CD_void, WarpEmitter.WARP, CD_int, CD_int, CD_int, CD_int, ints, ints));
    }

    private int[] slots(Operand operand, int n) {
        List<Operand> parts = WarpEmitter.elements(operand);
        if (parts.size() != n) {
            throw new IllegalArgumentException("a vector of %d registers is expected, and there are %d".formatted(n,
                    parts.size()));
        }
        return parts.stream().mapToInt(warp::intSlot).toArray();
    }
}
