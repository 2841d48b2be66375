package jdiffusion.emulator.exec;

import java.util.BitSet;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.Type;

/**
 * The registers of up to 32 bits that the instructions of a basic block name, by their slots over the number of lanes.
 *
 * @param touched of each instruction
 * @param all     of the whole block
 * @param written of the whole block, those that change
 */
record RegisterUse(List<BitSet> touched, BitSet all, BitSet written) {
    private static final List<String> WITHOUT_RESULT = List.of("st", "red", "bra", "mbarrier", "cp");

    /** Nothing, where registers are not looked at. */
    static final RegisterUse NONE = new RegisterUse(List.of(), new BitSet(), new BitSet());

    /** Of a block; of one of {@code wgmma}, whose registers are known in another way, nothing. */
    static RegisterUse of(BasicBlock block, Layout layout) {
        if (block.instructions().stream().anyMatch(i -> i.opcode().equals("wgmma"))) {
            return NONE;
        }
        var written = new BitSet();
        var all = new BitSet();
        List<BitSet> touched = block.instructions().stream().map(instruction -> {
            BitSet one = registers(instruction, layout, _ -> true);
            all.or(one);
            if (!WITHOUT_RESULT.contains(instruction.opcode())) {
                written.or(registers(instruction, layout, i -> i == 0));
            }
            return one;
        }).toList();
        return new RegisterUse(touched, all, written);
    }

    private static BitSet registers(Instruction instruction, Layout layout, IntPredicate operands) {
        var found = new BitSet();
        IntStream.range(0, instruction.operands().size()).filter(operands)
                .forEach(i -> add(instruction.operands().get(i), layout, found));
        return found;
    }

    private static void add(Operand operand, Layout layout, BitSet found) {
        switch (operand) {
            case Operand.Reg reg -> {
                Type type = layout.type(reg.name());
                if (type != null && type != Type.PRED && type.bits() <= 32) {
                    found.set(layout.slot(reg.name()) / Layout.LANES);
                }
            }
            case Operand.Address address -> add(address.base(), layout, found);
            case Operand.Vector vector -> vector.elements().forEach(e -> add(e, layout, found));
            case Operand.Pair pair -> {
                add(pair.first(), layout, found);
                add(pair.second(), layout, found);
            }
            case Operand.Imm _, Operand.Symbol _, Operand.Sink _ -> { }
        }
    }
}
