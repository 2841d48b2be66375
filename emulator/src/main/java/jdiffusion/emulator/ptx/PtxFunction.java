package jdiffusion.emulator.ptx;

import java.util.List;
import java.util.Map;

/**
 * An entry function, or a function that is called.
 *
 * @param results what it returns; empty for an entry function
 * @param parameters in order
 * @param maxThreads product of {@code .maxntid} or {@code .reqntid}, 1024 without
 * @param cluster what an entry function asks of clusters
 * @param registers type of every declared register
 * @param variables the function's own shared and local variables, and parameters of its calls
 * @param labels index into {@code body} by label
 * @param tables labels of each {@code .branchtargets} list by its name
 */
public record PtxFunction(
        String name, int line, List<Variable> results, List<Variable> parameters, int maxThreads,
        ClusterRequest cluster, Map<String, Type> registers, List<Variable> variables, List<Instruction> body,
        Map<String, Integer> labels, Map<String, List<String>> tables) {

    /** True when an instruction has the variable among its operands. */
    public boolean names(String variable) {
        return body.stream().flatMap(instruction -> instruction.operands().stream())
                .anyMatch(operand -> names(operand, variable));
    }

    private static boolean names(Operand operand, String variable) {
        return switch (operand) {
            case Operand.Symbol(String name, long _) -> name.equals(variable);
            case Operand.Address(Operand base, long _) -> names(base, variable);
            case Operand.Vector(List<Operand> elements) -> elements.stream().anyMatch(e -> names(e, variable));
            case Operand.Pair(Operand first, Operand second) -> names(first, variable) || names(second, variable);
            case Operand.Reg _, Operand.Imm _, Operand.Sink _ -> false;
        };
    }
}
