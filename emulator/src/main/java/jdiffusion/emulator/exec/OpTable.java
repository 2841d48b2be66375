package jdiffusion.emulator.exec;

import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Type;

/** The methods marked {@link Ptx}, by instruction name. */
final class OpTable {

    /**
     * A lane's method for one instruction.
     *
     * @param operands PTX types of the operands
     * @param result PTX type of the result
     */
    record Op(ClassDesc owner, String name, MethodTypeDesc descriptor, List<Type> operands, Type result) {}

    private static final Set<String> ROUNDS = Set.of("add", "sub", "mul", "fma", "mad", "div", "rcp", "sqrt", "rsqrt");
    private static final Set<String> DROPPED = Set.of("ftz", "approx", "full", "uni");
    private static final Map<String, Op> OPS = new HashMap<>();

    static {
        for (Class<?> owner : List.of(IntOps.class, LongOps.class, BitOps.class, FloatOps.class, DoubleOps.class,
                HalfOps.class, PackedOps.class, PairOps.class, MixedOps.class, CompareOps.class)) {
            for (Method method : owner.getDeclaredMethods()) {
                Ptx ptx = method.getAnnotation(Ptx.class);
                for (String name : ptx == null ? new String[0] : ptx.value()) {
                    OPS.put(name, op(owner, method, ptx, name));
                }
            }
        }
    }

    private OpTable() {}

    private static Op op(Class<?> owner, Method method, Ptx ptx, String name) {
        Type last = Type.of(name.substring(name.lastIndexOf('.') + 1));
        var operands = new ArrayList<Type>();
        for (String operand : ptx.operands().split(" ")) {
            if (!operand.isEmpty()) {
                operands.add(Type.of(operand));
            }
        }
        while (operands.size() < method.getParameterCount()) {
            operands.add(last);
        }
        var descriptor = MethodTypeDesc.ofDescriptor(
                java.lang.invoke.MethodType.methodType(method.getReturnType(), method.getParameterTypes())
                        .descriptorString());
        Type result = !ptx.result().isEmpty() ? Type.of(ptx.result())
                : name.startsWith("setp") ? Type.PRED : last;
        return new Op(ClassDesc.of(owner.getName()), method.getName(), descriptor, List.copyOf(operands), result);
    }

    /** The method for a name as {@link Ptx} lists it, or null. */
    static Op find(String name) {
        return OPS.get(name);
    }

    /** The name under which {@link Ptx} lists an instruction. */
    static String key(Instruction instruction) {
        var key = new StringBuilder(instruction.opcode());
        Type type = instruction.type();
        boolean isFloat = type != null && (type.isFloat() || type == Type.F16X2 || type == Type.BF16X2);
        for (String modifier : instruction.modifiers()) {
            boolean rounding = modifier.equals("rn") && ROUNDS.contains(instruction.opcode());
            boolean saturation = modifier.equals("sat") && isFloat;
            boolean dropped = DROPPED.contains(modifier) && !(type == Type.F32X2 && modifier.equals("ftz"));
            if (!rounding && !saturation && !dropped) {
                key.append('.').append(modifier.toLowerCase(Locale.ROOT));
            }
        }
        return key.toString();
    }
}
