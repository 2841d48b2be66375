package jdiffusion.kernels.linear;

import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.Tensor;

/** The structs of {@code gemm.cuh} as arguments of a launch. */
final class GemmArgs {
    /** Problems of one launch, {@code MAX_PROBLEMS} of {@code gemm.cuh}. */
    static final int MOST_PROBLEMS = 16;
    private static final int ALIGNMENT = 16;
    private static final int CHUNK = 8;

    private GemmArgs() {
    }

    /** Whether rows can go straight to shared memory: of the product's type, and aligned to 16 bytes. */
    static boolean isDirect(Cuda cuda, Tensor rows) {
        return rows.type() == cuda.operandType() && rows.data().address() % ALIGNMENT == 0
                && rows.cols() % CHUNK == 0 && rows.rowStride() % CHUNK == 0;
    }

    /** {@code struct Rows}. */
    static void rows(KernelArgs args, Tensor rows) {
        args.align(8).pointer(rows).int32(rows.rowStride()).int32(TypeCode.of(rows.type()));
    }

    /** {@code struct Output}, the end of a problem. */
    static void output(KernelArgs args, LinearCall call, int firstTile) {
        Epilogue epilogue = call.epilogue();
        Tensor gate = epilogue.gate();
        Tensor out = call.out();
        args.align(8).pointer(call.bias()).pointer(gate).pointer(out)
                .int32(TypeCode.of(call.bias())).int32(TypeCode.of(out.type()))
                .int32(epilogue.activation().ordinal()).int32(epilogue.mode().ordinal())
                .int32(out.rowStride()).int32(gate == null ? 0 : gate.rowStride())
                .int32(gate == null ? 1 : call.m() / gate.rows())
                .int32(call.m()).int32(call.n()).int32(call.k()).int32(firstTile).align(8);
    }

    /** The unused problems of {@code struct Problems}, and the number of those used. */
    static void rest(KernelArgs args, int problems) {
        args.skip(args.size() / problems * (MOST_PROBLEMS - problems)).int32(problems);
    }
}
