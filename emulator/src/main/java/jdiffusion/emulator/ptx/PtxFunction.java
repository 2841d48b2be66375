package jdiffusion.emulator.ptx;

import java.util.List;
import java.util.Map;

/**
 * An entry function.
 *
 * @param parameters in order
 * @param maxThreads product of {@code .maxntid} or {@code .reqntid}, 1024 without
 * @param registers type of every declared register
 * @param variables the function's own shared and local variables
 * @param labels index into {@code body} by label
 * @param tables labels of each {@code .branchtargets} list by its name
 */
public record PtxFunction(
        String name, int line, List<Variable> parameters, int maxThreads, Map<String, Type> registers,
        List<Variable> variables, List<Instruction> body, Map<String, Integer> labels,
        Map<String, List<String>> tables) {
}
