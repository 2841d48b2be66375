package jdiffusion.emulator.exec;

import static java.lang.constant.ConstantDescs.CD_int;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.instruction.SwitchCase;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.SharedArray;
import jdiffusion.emulator.ptx.Instruction;
import jdiffusion.emulator.ptx.Operand;
import jdiffusion.emulator.ptx.PtxFunction;
import jdiffusion.emulator.ptx.PtxModule;
import jdiffusion.emulator.ptx.Type;
import jdiffusion.emulator.ptx.Variable;

/** Translates one entry function to a hidden class: a static method per basic block and a switch over them. */
public final class KernelCompiler {
    private static final MethodTypeDesc BLOCK = MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int);
    /** Local memory of a thread for arrays of functions that call themselves; CUDA's default is 1 KiB. */
    private static final int STACK = 8 << 10;
    private static final int FRAME_ALIGN = 16;
    /** As many cases as the JVM's limit on the length of a method allows for. */
    private static final int MOST_STEPS = 6000;
    private static final ClassDesc SELF = ClassDesc.of(KernelCompiler.class.getPackageName() + ".Translated");

    private final boolean steps;
    private final boolean usesCluster;
    private final PtxModule module;
    private final PtxFunction function;
    private final ModuleVariables variables;
    private final CallTable calls;
    private final Layout layout;
    private final List<Site> sites = new ArrayList<>();
    private final List<SharedArray> sharedArrays = new ArrayList<>();
    private final List<WarpgroupProduct> products = new ArrayList<>();
    private final Map<String, Long> addresses = new HashMap<>();
    private final List<BasicBlock> blocks;
    private int sharedBytes;
    private int sharedCell = 16;
    private int localBytes;
    private int stackBytes;
    private int paramBytes;

    private KernelCompiler(PtxModule module, PtxFunction function, ModuleVariables variables, boolean steps) {
        this.steps = steps;
        this.module = module;
        this.function = Linker.link(module, function);
        this.usesCluster = this.function.body().stream().anyMatch(Classification::usesCluster);
        this.calls = new CallTable(module, this.function);
        this.variables = variables;
        this.layout = new Layout(this.function.registers());
        this.blocks = BasicBlock.of(this.function, layout, steps);
        if (steps && blocks.size() > MOST_STEPS) {
            throw new PtxException("kernel %s: is too long for steps: %d instructions, and at most %d can be".formatted(
                    function.name(), blocks.size(), MOST_STEPS), 0);
        }
    }

    /**
     * Translates a kernel.
     *
     * @param steps whether each instruction is a basic block of its own
     * @throws PtxException with the line of an instruction that is not supported
     */
    public static CompiledKernel compile(PtxModule module, PtxFunction function, ModuleVariables variables,
            boolean steps) {
        return new KernelCompiler(module, function, variables, steps).compile();
    }

    private CompiledKernel compile() {
        placeVariables();
        int[][] blockSites = new int[blocks.size()][];
        for (int i = 0; i < blocks.size(); i++) {
            blockSites[i] = new int[blocks.get(i).instructions().size()];
            for (int j = 0; j < blockSites[i].length; j++) {
                Instruction instruction = blocks.get(i).instructions().get(j);
                blockSites[i][j] = instruction.line() == 0 ? -1 : sites.size();
                if (instruction.line() != 0) {
                    sites.add(site(instruction));
                }
            }
        }
        KernelCode code = define(blockSites);
        List<CallSite> callSites = calls.sites(layout, this::address);
        int[] ints = layout.intConstants().entrySet().stream()
                .flatMapToInt(e -> java.util.stream.IntStream.of(e.getValue(), e.getKey())).toArray();
        long[] longs = layout.longConstants().entrySet().stream()
                .flatMapToLong(e -> java.util.stream.LongStream.of(e.getValue(), e.getKey())).toArray();
        return new CompiledKernel(function.name(), code, layout.ints(), layout.longs(), layout.predicates(), ints,
                longs, List.copyOf(layout.specials()), List.copyOf(sites), blockSites, sharedBytes, sharedCell,
                localBytes, stackBytes, paramBytes, variables, callSites, List.copyOf(sharedArrays),
                List.copyOf(products), products.isEmpty() ? List.of()
                        : blocks.stream().map(block -> RegisterUse.of(block, layout)).toList(),
                steps ? layout.registers() : Map.of(), usesCluster,
                Classification.hasFlags(function.body()), function.cluster());
    }

    private Site site(Instruction instruction) {
        try {
            return Classification.site(instruction, module.text(instruction.line()));
        } catch (IllegalArgumentException | IndexOutOfBoundsException | NullPointerException | ClassCastException e) {
            throw failure(instruction, e);
        }
    }

    private void placeVariables() {
        for (Variable parameter : function.parameters()) {
            paramBytes = align(paramBytes, parameter);
            addresses.put(parameter.name(), (long) paramBytes);
            paramBytes += (int) Math.max(parameter.bytes(), 1);
        }
        addresses.putAll(Functions.addresses(module));
        variables.segments().forEach((name, segment) -> addresses.put(name, segment.address()));
        var own = new ArrayList<>(function.variables());
        // As ptxas does: of the module's shared variables, those that the kernel names.
        module.variables().stream().filter(v -> v.space().equals("shared") && function.names(v.name()))
                .forEach(own::add);
        for (Variable variable : own) {
            if (variable.space().equals("frame")) {
                placeOnStack(variable);
            } else if (variable.space().equals("local") || variable.space().equals("param")) {
                localBytes = align(localBytes, variable);
                addresses.put(variable.name(), (long) localBytes);
                localBytes += (int) variable.bytes();
            } else if (variable.bytes() > 0) {
                sharedBytes = align(sharedBytes, variable);
                addresses.put(variable.name(), (long) sharedBytes);
                sharedArrays.add(new SharedArray(variable.name(), sharedBytes, (int) variable.bytes()));
                sharedBytes += (int) variable.bytes();
            }
        }
        for (Variable variable : own) {
            if (variable.bytes() == 0) {
                sharedBytes = align(sharedBytes, variable);
            }
        }
        own.stream().filter(v -> v.bytes() == 0).forEach(v -> {
            addresses.put(v.name(), (long) sharedBytes);
            sharedArrays.add(new SharedArray(v.name(), sharedBytes, 0));
        });
        if (calls.hasStack()) {
            localBytes = Math.ceilDiv(localBytes, FRAME_ALIGN) * FRAME_ALIGN + STACK;
            stackBytes = STACK;
        }
    }

    private void placeOnStack(Variable variable) {
        String owner = variable.name().substring(variable.name().lastIndexOf('@') + 1);
        int at = align(calls.frame(owner), variable);
        addresses.put(variable.name(), (long) at);
        calls.frame(owner, Math.ceilDiv(at + (int) variable.bytes(), FRAME_ALIGN) * FRAME_ALIGN);
    }

    private static int align(int offset, Variable variable) {
        return Math.ceilDiv(offset, variable.align()) * variable.align();
    }

    private long address(String symbol) {
        Long address = addresses.get(symbol);
        if (address == null) {
            boolean isKernel = module.kernels().stream().anyMatch(kernel -> kernel.name().equals(symbol));
            throw new IllegalArgumentException(isKernel ? "kernels that launch kernels are not supported"
                    : "nothing is named " + symbol);
        }
        return address;
    }

    private KernelCode define(int[][] blockSites) {
        byte[] bytes = ClassFile.of().build(SELF, type -> {
            type.withInterfaceSymbols(ClassDesc.of(KernelCode.class.getName()));
            type.withMethodBody("<init>", ConstantDescs.MTD_void, ClassFile.ACC_PUBLIC, code -> code.aload(0)
                    .invokespecial(ConstantDescs.CD_Object, "<init>", ConstantDescs.MTD_void).return_());
            type.withMethodBody("run", MethodTypeDesc.of(CD_int, WarpEmitter.WARP, CD_int, CD_int),
                    ClassFile.ACC_PUBLIC, this::dispatch);
            for (int i = 0; i < blocks.size(); i++) {
                int number = i;
                type.withMethodBody("block" + i, BLOCK, ClassFile.ACC_STATIC,
                        code -> block(code, number, blockSites[number]));
            }
        });
        try {
            return (KernelCode) MethodHandles.lookup().defineHiddenClass(bytes, true).lookupClass()
                    .getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("kernel " + function.name() + " cannot be loaded", e);
        }
    }

    private void dispatch(CodeBuilder code) {
        var cases = new ArrayList<SwitchCase>();
        for (int i = 0; i < blocks.size(); i++) {
            cases.add(SwitchCase.of(i, code.newLabel()));
        }
        Label none = code.newLabel();
        code.iload(2).tableswitch(0, blocks.size() - 1, none, cases);
        for (int i = 0; i < blocks.size(); i++) {
            code.labelBinding(cases.get(i).target()).aload(1).iload(3).invokestatic(SELF, "block" + i, BLOCK).ireturn();
        }
        code.labelBinding(none).iconst_m1().ireturn();
    }

    private void block(CodeBuilder code, int number, int[] siteNumbers) {
        BasicBlock block = blocks.get(number);
        field(code, "r", "[I", LaneCode.INTS);
        field(code, "q", "[J", LaneCode.LONGS);
        field(code, "p", "[I", LaneCode.PREDICATES);
        var warp = new WarpEmitter(code, layout, this::address, products, usesCluster);
        var control = new ControlEmitter(code, layout, warp, calls, block, number);
        var wide = new WideEmitter(code, layout, warp, this::address, paramBytes);
        var run = new ArrayList<Instruction>();
        for (int i = 0; i < block.instructions().size(); i++) {
            Instruction instruction = block.instructions().get(i);
            try {
                Classification.checkTarget(instruction, module.target());
                sharedCell = Math.min(sharedCell, Classification.sharedBytes(instruction));
                if (LaneEmitter.handles(instruction)) {
                    String clock = Specials.clock(instruction);
                    if (clock != null) {
                        flush(code, run);
                        warp.clock(clock);
                    }
                    if (wide.handles(instruction)) {
                        flush(code, run);
                        wide.emit(instruction);
                    } else {
                        run.add(instruction);
                    }
                    continue;
                }
                flush(code, run);
                if (i == 0 && BasicBlock.isCollective(instruction)) {
                    control.together(instruction, siteNumbers[i]);
                }
                control.emit(instruction, siteNumbers[i]);
            } catch (IllegalArgumentException | IndexOutOfBoundsException | NullPointerException
                    | ClassCastException e) {
                throw failure(instruction, e);
            }
        }
        flush(code, run);
        control.end();
    }

    private void flush(CodeBuilder code, List<Instruction> run) {
        if (!run.isEmpty()) {
            new LaneEmitter(code, layout, this::address).emit(run, this::failure);
            run.clear();
        }
    }

    private RuntimeException failure(Instruction instruction, RuntimeException cause) {
        if (cause instanceof PtxException) {
            return cause;
        }
        String reason = Refusals.reason(instruction, cause);
        return new PtxException("%s:%d: kernel %s: %s: `%s`".formatted(module.origin(), instruction.line(),
                function.name(), reason, module.text(instruction.line())), instruction.line());
    }

    private static void field(CodeBuilder code, String name, String descriptor, int local) {
        code.aload(LaneCode.WARP).getfield(WarpEmitter.WARP, name, ClassDesc.ofDescriptor(descriptor)).astore(local);
    }

    /** 32-bit registers that a function declares and uses; 64-bit ones count twice. */
    public static int registers(PtxFunction function) {
        return function.registers().values().stream().filter(t -> t != Type.PRED)
                .mapToInt(t -> t.bits() == 64 ? 2 : 1).sum();
    }

    /** True when the operand is a register that is declared as a predicate. */
    static boolean isPredicate(Layout layout, Operand operand) {
        return operand instanceof Operand.Reg reg && layout.type(reg.name()) == Type.PRED;
    }
}
