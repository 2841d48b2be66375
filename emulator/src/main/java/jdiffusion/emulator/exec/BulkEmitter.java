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

/** Translates barriers in shared memory, bulk copies and asynchronous stores. */
final class BulkEmitter {
    private static final ClassDesc INTS = ClassDesc.ofDescriptor("[I");

    private final CodeBuilder code;
    private final WarpEmitter warp;

    BulkEmitter(CodeBuilder code, WarpEmitter warp) {
        this.code = code;
        this.warp = warp;
    }

    /** {@code mbarrier}. */
    void barrier(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        String verb = instruction.modifiers().getFirst();
        if (verb.equals("pending_count")) {
            warp.call(MemoryBarriers.class, "pending", warp.intSlot(o.get(0)), warp.longSlot(o.get(1)));
            return;
        }
        boolean result = !(o.getFirst() instanceof Operand.Address);
        if (MemoryEmitter.isOfCluster(instruction)) {
            remote(instruction, site, result);
            return;
        }
        warp.address(o.get(result ? 1 : 0));
        if (!instruction.has("shared")) {
            warp.call(GenericMemory.class, "toShared");
        }
        switch (verb) {
            case "init" -> warp.call(MemoryBarriers.class, "init", site, warp.intSlot(o.get(1)));
            case "inval" -> warp.call(MemoryBarriers.class, "invalidate", site);
            case "expect_tx", "complete_tx" -> warp.call(MemoryBarriers.class, "owe", site, warp.intSlot(o.get(1)),
                    verb.equals("expect_tx") ? 1 : -1);
            case "arrive", "arrive_drop" -> arrive(instruction, site, result);
            case "test_wait", "try_wait" -> {
                boolean parity = instruction.has("parity");
                warp.call(MemoryBarriers.class, parity ? "testParity" : "test", site, warp.predicateSlot(o.get(0)),
                        parity ? warp.intSlot(o.get(2)) : warp.longSlot(o.get(2)));
            }
            default -> WarpEmitter.require(false);
        }
    }

    /** At barriers that may be another block's: what gives no result. */
    private void remote(Instruction instruction, int site, boolean result) {
        List<Operand> o = instruction.operands();
        String verb = instruction.modifiers().getFirst();
        WarpEmitter.require(!result || o.getFirst() instanceof Operand.Sink);
        warp.address(o.get(result ? 1 : 0));
        switch (verb) {
            case "arrive", "arrive_drop" -> {
                boolean expects = instruction.has("expect_tx");
                int argument = o.size() > (result ? 2 : 1) ? warp.intSlot(o.getLast()) : -1;
                WarpEmitter.require(!expects || argument >= 0);
                warp.call(ClusterMemory.class, "arrive", site, expects ? -1 : argument, expects ? argument : -1,
                        verb.equals("arrive_drop") ? 1 : 0);
            }
            case "expect_tx", "complete_tx" -> warp.call(ClusterMemory.class, "owe", site, warp.intSlot(o.get(1)),
                    verb.equals("expect_tx") ? 1 : -1);
            default -> WarpEmitter.require(false);
        }
    }

    private void arrive(Instruction instruction, int site, boolean result) {
        List<Operand> o = instruction.operands();
        int token = !result || o.get(0) instanceof Operand.Sink ? -1 : warp.longSlot(o.get(0));
        int argument = o.size() > (result ? 2 : 1) ? warp.intSlot(o.getLast()) : -1;
        boolean expects = instruction.has("expect_tx");
        WarpEmitter.require(!expects || argument >= 0);
        warp.call(MemoryBarriers.class, "arrive", site, token, expects ? -1 : argument, expects ? argument : -1,
                instruction.has("arrive_drop") ? 1 : 0);
    }

    /** {@code cp.async.bulk}. */
    void copy(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        if (instruction.has("commit_group")) {
            warp.call(BulkCopies.class, "commit");
        } else if (instruction.has("wait_group")) {
            warp.call(BulkCopies.class, "await", (int) ((Operand.Imm) o.get(0)).bits());
        } else if (instruction.has("prefetch")) {
            if (instruction.has("tensor")) {
                mode(instruction, true);
            }
        } else {
            boolean tensor = instruction.has("tensor");
            boolean counted = instruction.has("mbarrier");
            List<String> spaces = instruction.modifiers().stream().filter(m -> m.equals("shared") || m.equals("global"))
                    .toList();
            boolean load = counted && spaces.equals(List.of("shared", "global"));
            boolean multicast = instruction.has("multicast");
            WarpEmitter.require((load || spaces.equals(List.of(counted && !tensor ? "shared" : "global", "shared")))
                    && counted != instruction.has("bulk_group") && (load || !multicast) && !instruction.has("cp_mask")
                    && !instruction.has("cta_group"));
            boolean reduces = instruction.has("reduce");
            WarpEmitter.require(!reduces || !load);
            if (tensor) {
                tensor(instruction, site, load);
                return;
            }
            int reduction = reduces ? reduction(instruction) : -1;
            int target = address(o.get(0));
            int source = address(o.get(1));
            int bytes = warp.intSlot(o.get(2));
            if (load) {
                warp.call(BulkCopies.class, "load", site, target, source, bytes, address(o.get(3)),
                        multicast ? warp.intSlot(o.get(4)) : -1);
            } else if (counted) {
                warp.call(BulkCopies.class, "transfer", site, target, source, bytes, address(o.get(3)),
                        reduction);
            } else {
                warp.call(BulkCopies.class, "store", site, target, source, bytes, reduction);
            }
        }
    }

    /** The code of the reduction that an instruction names with its type. */
    private static int reduction(Instruction instruction) {
        Reduction reduction = Reduction.of(Reduction.number(instruction), instruction.type());
        // Shared memory adds whole numbers only.
        WarpEmitter.require(reduction != null && (instruction.has("bulk_group") || !instruction.type().isFloat()));
        return reduction.code();
    }

    /** {@code st.async} and {@code red.async}. */
    void store(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        Type type = instruction.type();
        WarpEmitter.require(instruction.has("mbarrier") && o.size() == 3 && type.bits() >= 32);
        boolean wide = type.bits() == 64;
        int target = address(o.get(0));
        int barrier = address(o.get(2));
        int[] values = WarpEmitter.elements(o.get(1)).stream().mapToInt(wide ? warp::longSlot : warp::intSlot)
                .toArray();
        boolean reduces = instruction.opcode().equals("red");
        WarpEmitter.require(!instruction.has("global") && (!reduces || values.length == 1));
        call("store", List.of(site, target, barrier, wide ? 1 : 0, reduces ? reduction(instruction) : -1), values);
    }

    /** How boxes are taken: one of {@link Im2col}'s modes. */
    private static int mode(Instruction instruction, boolean load) {
        List<String> named = instruction.modifiers().stream()
                .filter(m -> m.startsWith("im2col") || m.startsWith("tile")).toList();
        boolean wide = instruction.has("w") || instruction.has("gather4") || instruction.has("scatter4");
        if (wide || named.contains("im2col") != load && !named.isEmpty() && !named.contains("tile")) {
            throw new IllegalArgumentException("of the modes of tensor maps there are .tile, .im2col for loads, and"
                    + " .im2col_no_offs for stores");
        }
        int mode = named.contains("im2col") ? Im2col.OFFSETS : named.contains("im2col_no_offs") ? Im2col.NO_OFFSETS
                : Im2col.TILE;
        if (mode != Im2col.TILE && instruction.modifiers().stream().noneMatch(m -> m.matches("[345]d"))) {
            throw new IllegalArgumentException("im2col is for tensors of three to five dimensions");
        }
        return mode;
    }

    /** Copies by a tensor map, which stands in brackets with the coordinates. */
    private void tensor(Instruction instruction, int site, boolean load) {
        List<Operand> o = instruction.operands();
        List<Operand> place = WarpEmitter.elements(o.get(load ? 1 : 0));
        WarpEmitter.require(place.size() == 2);
        int mode = mode(instruction, load);
        var slots = new ArrayList<Integer>();
        WarpEmitter.elements(place.getLast()).forEach(coordinate -> slots.add(warp.intSlot(coordinate)));
        int rank = slots.size();
        if (!instruction.has(rank + "d")) {
            throw new IllegalArgumentException("the instruction and its %d coordinates are of different dimensions"
                    .formatted(rank));
        }
        if (mode == Im2col.OFFSETS) {
            WarpEmitter.elements(o.get(3)).forEach(offset -> slots.add(warp.intSlot(offset)));
            if (slots.size() != 2 * rank - 2) {
                throw new IllegalArgumentException("im2col of %d dimensions has %d offsets, and not %d".formatted(rank,
                        rank - 2, slots.size() - rank));
            }
        }
        int map = address(place.getFirst());
        int shared = address(o.get(load ? 0 : 1));
        int[] all = slots.stream().mapToInt(Integer::intValue).toArray();
        if (load) {
            int multicast = instruction.has("multicast") ? warp.intSlot(o.get(mode == Im2col.OFFSETS ? 4 : 3)) : -1;
            call("loadTensor", List.of(site, shared, map, address(o.get(2)), multicast, mode), all);
        } else {
            int reduction = instruction.has("reduce") ? Reduction.number(instruction) : -1;
            call("storeTensor", List.of(site, map, shared, reduction, mode), all);
        }
    }

    /** Calls a method of the copies that takes an array of slots at last. */
    private void call(String name, List<Integer> arguments, int[] slots) {
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH);
        arguments.forEach(code::loadConstant);
        warp.ints(slots);
        var parameters = new ArrayList<ClassDesc>(List.of(WarpEmitter.WARP));
        parameters.addAll(Collections.nCopies(arguments.size() + 1, CD_int));
        parameters.add(INTS);
        code.invokestatic(ClassDesc.of(BulkCopies.class.getName()), name, MethodTypeDesc.of(CD_void, parameters));
    }

    /** A new slot that holds the lanes' addresses. */
    private int address(Operand operand) {
        int slot = warp.newLongSlot();
        warp.address(operand);
        warp.call(GenericMemory.class, "keep", slot);
        return slot;
    }
}
