package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;

/** Translates guards, branches, barriers and ends of one basic block. */
final class ControlEmitter {
    static final ClassDesc BARRIERS = ClassDesc.of(Barriers.class.getName());
    private static final ClassDesc CALLS = ClassDesc.of(Calls.class.getName());

    private final CodeBuilder code;
    private final Layout layout;
    private final WarpEmitter warp;
    private final CallTable calls;
    private final BasicBlock block;
    private final int number;
    private boolean ended;

    ControlEmitter(CodeBuilder code, Layout layout, WarpEmitter warp, CallTable calls, BasicBlock block, int number) {
        this.code = code;
        this.layout = layout;
        this.warp = warp;
        this.calls = calls;
        this.block = block;
        this.number = number;
    }

    /** Returns from the block when lanes that a collective instruction needs are still elsewhere. */
    void together(Instruction instruction, int site) {
        code.aload(LaneCode.WARP).loadConstant(number).iload(LaneCode.MASK);
        boolean named = !BasicBlock.isWhole(instruction) && !BasicBlock.isBarrier(instruction);
        if (named) {
            code.loadConstant(warp.intSlot(instruction.operands().getLast()));
        } else {
            code.iconst_m1();
        }
        // Where lanes name their members, these come from a slot.
        Label here = code.newLabel();
        code.loadConstant(site).invokevirtual(WarpEmitter.WARP, named ? "togetherAsNamed" : "together",
                MethodTypeDesc.of(CD_boolean, CD_int, CD_int, CD_int, CD_int)).ifne(here)
                .iconst_m1().ireturn().labelBinding(here);
    }

    /** Translates an instruction that is not lane-local. */
    void emit(Instruction instruction, int site) {
        lanes(instruction);
        if (BasicBlock.isBarrier(instruction)) {
            barrier(instruction, site);
            return;
        }
        if (isRetried(instruction)) {
            retried(instruction, site);
            return;
        }
        switch (instruction.opcode()) {
            case "bra" -> branch(instruction);
            case "brx" -> branchIndexed(instruction);
            case "ret", "exit" -> exit();
            case "call" -> call(instruction, site);
            case "return" -> {
                code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(number + 1).iload(LaneCode.MASK)
                        .invokestatic(CALLS, "endCall", MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int,
                                CD_int)).ireturn();
                ended = true;
            }
            case "trap" -> code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(site)
                    .invokevirtual(WarpEmitter.WARP, "trap", MethodTypeDesc.of(CD_void, CD_int, CD_int));
            case "brkpt" -> { }
            default -> {
                Label skip = code.newLabel();
                if (instruction.guard() != null) {
                    code.iload(LaneCode.SCRATCH).ifeq(skip);
                }
                warp.emit(instruction, site);
                code.labelBinding(skip);
            }
        }
    }

    /** Whether an instruction is executed again as long as it has to wait for others. */
    private static boolean isRetried(Instruction instruction) {
        return instruction.opcode().equals("setmaxnreg")
                || instruction.opcode().equals("wgmma") && instruction.has("wait_group");
    }

    private void retried(Instruction instruction, int site) {
        boolean registers = instruction.opcode().equals("setmaxnreg");
        if (instruction.guard() != null) {
            throw new IllegalArgumentException("this instruction is not supported with a guard");
        }
        code.aload(LaneCode.WARP).iload(LaneCode.MASK).loadConstant(site)
                .loadConstant((int) ((Operand.Imm) instruction.operands().getFirst()).bits());
        var parameters = new ArrayList<ClassDesc>(List.of(WarpEmitter.WARP));
        if (registers) {
            code.loadConstant(instruction.has("inc") ? 1 : 0);
        }
        parameters.addAll(Collections.nCopies(registers ? 6 : 5, CD_int));
        ClassDesc owner = ClassDesc.of((registers ? RegisterPool.class : WarpgroupProducts.class).getName());
        code.loadConstant(number).loadConstant(number + 1).invokestatic(owner, registers ? "set" : "await",
                MethodTypeDesc.of(CD_int, parameters)).ireturn();
        ended = true;
    }

    /** Puts the lanes for which the guard holds into {@link LaneCode#SCRATCH}. */
    private void lanes(Instruction instruction) {
        code.iload(LaneCode.MASK);
        Operand.Reg guard = instruction.guard();
        if (guard != null) {
            if (!KernelCompiler.isPredicate(layout, guard)) {
                throw new IllegalArgumentException("the guard is no predicate");
            }
            code.aload(LaneCode.PREDICATES).loadConstant(layout.slot(guard.name())).iaload();
            if (guard.negated()) {
                code.iconst_m1().ixor();
            }
            code.iand();
        }
        code.istore(LaneCode.SCRATCH);
    }

    private int target(Operand operand) {
        Integer target = operand instanceof Operand.Symbol symbol ? block.targets().get(symbol.name()) : null;
        if (target == null) {
            throw new IllegalArgumentException("the label is not defined");
        }
        return target;
    }

    private void branch(Instruction instruction) {
        int target = target(instruction.operands().getFirst());
        if (instruction.guard() == null) {
            code.loadConstant(target).ireturn();
            ended = true;
            return;
        }
        Label some = code.newLabel();
        Label both = code.newLabel();
        code.iload(LaneCode.SCRATCH).ifne(some).loadConstant(number + 1).ireturn();
        code.labelBinding(some).iload(LaneCode.SCRATCH).iload(LaneCode.MASK).if_icmpne(both)
                .loadConstant(target).ireturn();
        code.labelBinding(both).aload(LaneCode.WARP).loadConstant(target).iload(LaneCode.SCRATCH)
                .loadConstant(number + 1).iload(LaneCode.MASK).iload(LaneCode.SCRATCH).ixor()
                .invokevirtual(WarpEmitter.WARP, "split", MethodTypeDesc.of(CD_int, CD_int, CD_int, CD_int, CD_int))
                .ireturn();
        ended = true;
    }

    private void branchIndexed(Instruction instruction) {
        List<String> labels = block.tables().get(((Operand.Symbol) instruction.operands().get(1)).name());
        if (instruction.guard() != null || labels == null) {
            throw new IllegalArgumentException("this branch is not supported");
        }
        code.aload(LaneCode.WARP);
        ints(labels.stream().mapToInt(label -> target(new Operand.Symbol(label, 0))).toArray());
        code.loadConstant(warp.intSlot(instruction.operands().get(0))).iload(LaneCode.MASK)
                .loadConstant(number + 1).invokevirtual(WarpEmitter.WARP, "branchIndexed", MethodTypeDesc.of(CD_int,
                        ClassDesc.ofDescriptor("[I"), CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    private void exit() {
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(number + 1).iload(LaneCode.MASK)
                .invokevirtual(WarpEmitter.WARP, "exit", MethodTypeDesc.of(CD_int, CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    private void call(Instruction instruction, int site) {
        String callee = ((Operand.Symbol) instruction.operands().get(1)).name();
        if (Linker.SYSTEM.contains(callee)) {
            warp.system(callee, instruction, site);
            return;
        }
        if (callee.isEmpty()) {
            callThrough(instruction, site);
            return;
        }
        Integer target = block.targets().get(callee);
        if (target == null) {
            if (Refusals.isLaunch(callee)) {
                throw new IllegalArgumentException("kernels that launch kernels are not supported");
            }
            throw new IllegalArgumentException("the function " + callee + " is not in this text; link it in, or let it"
                    + " be inlined");
        }
        code.aload(LaneCode.WARP).loadConstant(calls.add(instruction, target, number + 1)).iload(LaneCode.SCRATCH)
                .iload(LaneCode.MASK).loadConstant(site).invokestatic(CALLS, "call",
                        MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    /** A call of the function whose address is in a register. */
    private void callThrough(Instruction instruction, int site) {
        int pointer = warp.longSlot(instruction.operands().get(4));
        code.aload(LaneCode.WARP);
        ints(calls.addAll(instruction, block.targets(), number + 1));
        code.loadConstant(pointer).iload(LaneCode.SCRATCH).iload(LaneCode.MASK).loadConstant(number + 1)
                .loadConstant(site).invokestatic(CALLS, "callThrough", MethodTypeDesc.of(CD_int, WarpEmitter.WARP,
                        ClassDesc.ofDescriptor("[I"), CD_int, CD_int, CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    /** Leaves a new array on the stack. */
    private void ints(int[] values) {
        code.loadConstant(values.length).newarray(TypeKind.INT);
        for (int i = 0; i < values.length; i++) {
            code.dup().loadConstant(i).loadConstant(values[i]).iastore();
        }
    }

    private void barrier(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        if (instruction.has("cluster")) {
            clusterBarrier(instruction, site);
            return;
        }
        if (instruction.has("red")) {
            warp.barrierReduction(instruction, number + 1, site);
            code.ireturn();
            ended = true;
            return;
        }
        if (instruction.has("arrive")) {
            if (o.size() < 2) {
                throw new IllegalArgumentException("the number of threads is missing");
            }
            code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(warp.intSlot(o.get(0)))
                    .loadConstant(warp.intSlot(o.get(1))).loadConstant(number + 1).loadConstant(site)
                    .invokestatic(BARRIERS, "arrive", MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int,
                            CD_int, CD_int, CD_int)).ireturn();
            ended = true;
            return;
        }
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(warp.intSlot(o.get(0)))
                .loadConstant(o.size() > 1 ? warp.intSlot(o.get(1)) : -1).loadConstant(number + 1)
                .iload(LaneCode.MASK).loadConstant(site)
                .invokestatic(BARRIERS, "barrier", MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int,
                        CD_int, CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    private void clusterBarrier(Instruction instruction, int site) {
        boolean arrives = instruction.has("arrive");
        WarpEmitter.require(arrives || instruction.has("wait"));
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH);
        if (arrives) {
            code.loadConstant(instruction.has("relaxed") ? 1 : 0);
        }
        code.loadConstant(instruction.has("aligned") ? 1 : 0).loadConstant(number + 1);
        if (!arrives) {
            code.iload(LaneCode.MASK);
        }
        code.loadConstant(site).invokestatic(ClassDesc.of(ClusterBarrier.class.getName()), arrives ? "arrive" : "await",
                MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int, CD_int, CD_int, CD_int)).ireturn();
        ended = true;
    }

    /** Ends the block's method: control falls through to the next block, or the kernel ends after the last. */
    void end() {
        if (ended) {
            return;
        }
        if (block.instructions().isEmpty()) {
            code.aload(LaneCode.WARP).iload(LaneCode.MASK).iconst_0().iload(LaneCode.MASK)
                    .invokevirtual(WarpEmitter.WARP, "exit", MethodTypeDesc.of(CD_int, CD_int, CD_int, CD_int))
                    .ireturn();
        } else {
            code.loadConstant(number + 1).ireturn();
        }
    }
}
