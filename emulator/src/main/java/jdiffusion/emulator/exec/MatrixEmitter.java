package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/** Translates instructions of the tensor cores. */
final class MatrixEmitter {
    private final CodeBuilder code;
    private final WarpEmitter warp;

    MatrixEmitter(CodeBuilder code, WarpEmitter warp) {
        this.code = code;
        this.warp = warp;
    }

    /** {@code wmma}. */
    void fragments(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        Fragments.Shape shape = Fragments.Shape.of(instruction);
        int[] slots;
        if (instruction.has("mma")) {
            slots = IntStream.of(1, 2, 3, 0).mapToObj(o::get).flatMap(f -> WarpEmitter.elements(f).stream())
                    .mapToInt(part -> slot(part, shape)).toArray();
        } else {
            boolean load = instruction.has("load");
            slots = WarpEmitter.elements(o.get(load ? 0 : 1)).stream().mapToInt(part -> slot(part, shape)).toArray();
            warp.address(o.get(load ? 1 : 0));
        }
        Class<?> space = MemoryEmitter.space(instruction);
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(site).loadConstant(shape.number())
                .loadConstant(o.size() > 2 && !instruction.has("mma") ? warp.intSlot(o.get(2)) : -1)
                .loadConstant(space == SharedMemory.class ? 1 : space == GlobalMemory.class ? 0 : 2);
        warp.ints(slots);
        code.invokestatic(ClassDesc.of(Fragments.class.getName()), instruction.has("mma") ? "multiply"
                : instruction.has("load") ? "load" : "store", MethodTypeDesc.of(CD_void, WarpEmitter.WARP, CD_int,
                        CD_int, CD_int, CD_int, CD_int, ClassDesc.ofDescriptor("[I")));
    }

    private int slot(Operand part, Fragments.Shape shape) {
        return shape.ab() == Element.F64 ? warp.longSlot(part) : warp.intSlot(part);
    }

    /** {@code mma} of other types than halves, and of sparse matrices. */
    private void multiplyOthers(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        Products named = Products.of(instruction);
        Products products = !named.isSparse() ? named : named.withSelector((int) ((Operand.Imm) o.get(5)).bits());
        int[] counts = products.registers();
        var slots = new ArrayList<Integer>();
        for (int i = 0; i < counts.length; i++) {
            List<Operand> parts = WarpEmitter.elements(o.get((i + 1) % counts.length));
            if (parts.size() != counts[i]) {
                throw new IllegalArgumentException("%s has %d registers, and %d are expected".formatted(
                        List.of("A", "B", "C", "D").get(i), parts.size(), counts[i]));
            }
            parts.forEach(part -> slots.add(products.isWide() ? warp.longSlot(part) : warp.intSlot(part)));
        }
        if (products.isSparse()) {
            slots.add(warp.intSlot(o.get(4)));
        }
        code.aload(LaneCode.WARP).iload(LaneCode.SCRATCH).loadConstant(site).loadConstant(products.number());
        warp.ints(slots.stream().mapToInt(Integer::intValue).toArray());
        code.invokestatic(ClassDesc.of(Products.class.getName()), "multiply", MethodTypeDesc.of(CD_void,
                WarpEmitter.WARP, CD_int, CD_int, CD_int, ClassDesc.ofDescriptor("[I")));
    }

    /** {@code mma}. */
    void multiply(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        List<String> m = instruction.modifiers();
        if (isFloat8OfWholeDepth(instruction)) {
            multiplyFloat8(instruction, site);
            return;
        }
        boolean bf16 = instruction.type(1) == Type.BF16;
        boolean half = instruction.type(0) == Type.F16;
        if (m.contains("sp") || m.stream().anyMatch(Float8::isType) || !bf16 && instruction.type(1) != Type.F16) {
            multiplyOthers(instruction, site);
            return;
        }
        int depth = m.contains("m16n8k16") ? 16 : 8;
        WarpEmitter.require((depth == 16 || m.contains("m16n8k8")) && m.contains("row") && m.contains("col")
                && (bf16 || instruction.type(1) == Type.F16) && instruction.type(1) == instruction.type(2)
                && (half || instruction.type(0) == Type.F32) && instruction.type() == instruction.type(0));
        var slots = new ArrayList<Integer>();
        slots.addAll(slots(o.get(1), depth / 4, 4));
        slots.addAll(slots(o.get(2), depth / 8, 2));
        slots.addAll(slots(o.get(3), half ? 2 : 4, 4));
        slots.addAll(slots(o.get(0), half ? 2 : 4, 4));
        int[] arguments = new int[4 + slots.size()];
        arguments[0] = site;
        arguments[1] = depth;
        arguments[2] = bf16 ? 1 : 0;
        arguments[3] = half ? 1 : 0;
        for (int i = 0; i < slots.size(); i++) {
            arguments[4 + i] = slots.get(i);
        }
        warp.call(Matrix.class, "mma", arguments);
    }

    private static boolean isFloat8OfWholeDepth(Instruction instruction) {
        return instruction.modifiers().stream().anyMatch(Float8::isType) && instruction.has("m16n8k32")
                && !instruction.has("sp") && instruction.type(0) == Type.F32;
    }

    /** {@code mma} of floats of 8 bits, from compute capability 8.9 on. */
    private void multiplyFloat8(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        List<String> m = instruction.modifiers();
        List<String> factors = m.stream().filter(Float8::isType).toList();
        WarpEmitter.require(m.contains("row") && m.contains("col") && factors.size() == 2
                && instruction.type(0) == Type.F32 && instruction.type(1) == Type.F32);
        var slots = new ArrayList<Integer>();
        slots.addAll(slots(o.get(1), 4, 4));
        slots.addAll(slots(o.get(2), 2, 2));
        slots.addAll(slots(o.get(3), 4, 4));
        slots.addAll(slots(o.get(0), 4, 4));
        int[] arguments = new int[3 + slots.size()];
        arguments[0] = site;
        arguments[1] = factors.getFirst().equals(Float8.E5M2) ? 1 : 0;
        arguments[2] = factors.getLast().equals(Float8.E5M2) ? 1 : 0;
        for (int i = 0; i < slots.size(); i++) {
            arguments[3 + i] = slots.get(i);
        }
        warp.call(Matrix.class, "mmaFloat8", arguments);
    }

    /** {@code wgmma}; a product is added to those of the kernel. */
    void warpgroup(Instruction instruction, int site, List<WarpgroupProduct> products) {
        List<Operand> o = instruction.operands();
        switch (instruction.modifiers().getFirst()) {
            case "fence" -> warp.call(WarpgroupProducts.class, "fence", site);
            case "commit_group" -> warp.call(WarpgroupProducts.class, "commit", site);
            case "mma_async" -> {
                products.add(product(instruction));
                warp.call(WarpgroupProducts.class, "issue", site, products.size() - 1);
            }
            default -> WarpEmitter.require(false);
        }
    }

    private WarpgroupProduct product(Instruction instruction) {
        WarpgroupProduct shape = WarpgroupProduct.of(instruction);
        List<Operand> o = instruction.operands();
        int[] d = WarpEmitter.elements(o.get(0)).stream().mapToInt(warp::intSlot).toArray();
        boolean fragment = o.get(1) instanceof Operand.Vector;
        int[] a = fragment ? WarpEmitter.elements(o.get(1)).stream().mapToInt(warp::intSlot).toArray() : new int[0];
        // After the descriptors: the predicate, the signs of float factors, and which way those of 16 bits lie.
        List<Long> numbers = o.stream().skip(4).map(n -> ((Operand.Imm) n).bits()).toList();
        boolean negatable = !shape.a().isInteger();
        int across = shape.a().bytes() != 2 ? 0 : fragment ? 1 : 2;
        WarpEmitter.require(d.length == shape.sumRegisters() && (!fragment || a.length == 4)
                && numbers.size() == (negatable ? 2 : 0) + across
                && numbers.stream().limit(negatable ? 2 : 0).allMatch(n -> Math.abs(n) == 1)
                && numbers.stream().skip(negatable ? 2 : 0).allMatch(n -> n == 0 || n == 1));
        boolean negative = negatable && !numbers.get(0).equals(numbers.get(1));
        Operand.Reg scale = (Operand.Reg) o.get(3);
        return new WarpgroupProduct(shape.n(), shape.a(), shape.b(), shape.sums(), d, a,
                fragment ? -1 : warp.longSlot(o.get(1)), warp.longSlot(o.get(2)), warp.predicateSlot(scale),
                scale.negated(), negative, across == 2 && numbers.get(2) == 1, across > 0 && numbers.getLast() == 1,
                shape.saturated());
    }

    private List<Integer> slots(Operand operand, int count, int padded) {
        List<Operand> parts = WarpEmitter.elements(operand);
        WarpEmitter.require(parts.size() == count);
        var slots = new ArrayList<Integer>();
        parts.forEach(part -> slots.add(warp.intSlot(part)));
        while (slots.size() < padded) {
            slots.add(0);
        }
        return slots;
    }

    /** {@code movmatrix}. */
    void transpose(Instruction instruction, int site) {
        WarpEmitter.require(instruction.has("m8n8") && instruction.has("trans") && instruction.has("b16"));
        List<Operand> o = instruction.operands();
        warp.call(Matrix.class, "movmatrix", site, warp.intSlot(o.get(0)), warp.intSlot(o.get(1)));
    }

    /** {@code ldmatrix}. */
    void load(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        rows(instruction, site, "ldmatrix", o.get(0), o.get(1));
    }

    /** {@code stmatrix}. */
    void store(Instruction instruction, int site) {
        List<Operand> o = instruction.operands();
        rows(instruction, site, "stmatrix", o.get(1), o.get(0));
    }

    private void rows(Instruction instruction, int site, String method, Operand registers, Operand address) {
        WarpEmitter.require(instruction.has("m8n8") && instruction.has("b16"));
        int given = WarpEmitter.elements(registers).size();
        List<Integer> d = slots(registers, given, 4);
        int n = instruction.has("x4") ? 4 : instruction.has("x2") ? 2 : 1;
        WarpEmitter.require(given == n);
        warp.address(address);
        if (!instruction.has("shared")) {
            warp.call(GenericMemory.class, "toShared");
        }
        warp.call(Matrix.class, method, site, n, instruction.has("trans") ? 1 : 0,
                d.get(0), d.get(1), d.get(2), d.get(3));
    }
}
