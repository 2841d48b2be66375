package jdiffusion.kernels.linear;

import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** The structs of {@code gemm.cuh} as arguments of a launch. */
public final class GemmArgs {
    /** Problems of one launch, {@code MAX_PROBLEMS} of {@code gemm.cuh}. */
    static final int MOST_PROBLEMS = 16;
    private static final int ALIGNMENT = 16;
    private static final int CHUNK = 8;

    private GemmArgs() {
    }

    /** What a product with x is made in: x's own type where that has 16 bits, so that wide operands stay wide. */
    static DType productType(DType operandType, Tensor x) {
        return x.type() == DType.F32 ? operandType : x.type();
    }

    /** Whether rows can go straight to shared memory: of the product's type, and aligned to 16 bytes. */
    public static boolean isDirect(Tensor rows, DType type) {
        return rows.type() == type && rows.data().address() % ALIGNMENT == 0 && rows.cols() % CHUNK == 0
                && rows.rowStride() % CHUNK == 0;
    }

    /** {@code struct Rows}. */
    public static void rows(KernelArgs args, Tensor rows) {
        args.align(8).pointer(rows).int32(rows.rowStride()).int32(TypeCode.of(rows.type()));
    }

    /** {@code struct Side}: none for nulls. */
    public static void side(KernelArgs args, Tensor left, Tensor right) {
        for (Tensor rows : new Tensor[] {left, right}) {
            args.align(8).pointer(rows).int32(rows == null ? 0 : rows.rowStride()).int32(TypeCode.of(rows));
        }
        args.int32(left == null ? 0 : left.cols()).align(8);
    }

    /**
     * {@code struct Output} of a product [out.rows(), k] by [out.cols(), k], the end of a problem.
     *
     * @param bias [n], [batch, n] for one of each of {@code batch} equal runs of rows, or null
     */
    public static void output(KernelArgs args, Tensor bias, Epilogue epilogue, Tensor out, int k, int firstTile) {
        output(args, bias, epilogue, out, k, firstTile, 1);
    }

    /** @param scale what the product is multiplied by before anything else */
    static void output(KernelArgs args, Tensor bias, Epilogue epilogue, Tensor out, int k, int firstTile, float scale) {
        Tensor gate = epilogue.gate();
        args.align(8).pointer(bias).pointer(gate).pointer(out)
                .int32(TypeCode.of(bias)).int32(TypeCode.of(out.type()))
                .int32(epilogue.activation().ordinal()).int32(epilogue.mode().ordinal())
                .int32(out.rowStride()).int32(gate == null ? 0 : gate.rowStride())
                .int32(gate == null ? 1 : out.rows() / gate.rows())
                .int32(bias == null ? 0 : bias.rowStride()).int32(bias == null ? 1 : out.rows() / bias.rows())
                .int32(out.rows()).int32(out.cols()).int32(k).int32(firstTile).float32(scale).align(8);
    }

    /** The unused problems of {@code struct Problems}, and the number of those used. */
    public static void rest(KernelArgs args, int problems) {
        args.skip(args.size() / problems * (MOST_PROBLEMS - problems)).int32(problems).align(8);
    }
}
