package jdiffusion.kernels.attention;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** What is kept of an attention's probabilities on a CUDA device, by {@code attention_look.cu}. */
final class CudaAttentionLook {
    private static final String FILE = "attention/attention_look";
    private static final int WARPS = 4;
    /** What a block may take on every card. */
    private static final int MOST_SHARED_BYTES = 99 << 10;

    private final Cuda cuda;

    CudaAttentionLook(Cuda cuda) {
        this.cuda = cuda;
    }

    /** Fails where a head has more channels than the kernels take, before anything runs. */
    static void check(AttentionCall call) {
        if (sharedBytes(call) > MOST_SHARED_BYTES) {
            throw new IllegalArgumentException(call + ": so many channels are more than a block can hold that looks");
        }
    }

    /** The warps' rows, then 32 rows of the other side. */
    private static long sharedBytes(AttentionCall call) {
        return Float.BYTES * (WARPS * (long) call.shape().headDim() + 32 * (call.shape().headDim() + 1L));
    }

    /** What packs {@code struct Call}. */
    interface Packing {
        KernelArgs of(AttentionCall call);
    }

    /**
     * After the attention has run, which has left its log sums.
     *
     * @param call with q and k as that read them
     */
    void run(AttentionCall call, AttentionLook look, Packing packing) {
        if (look.columnCount() > 0) {
            launch("attention_columns", call, call.queries(), look, look.columns(), packing);
        }
        look.lap(cuda::synchronize);
        if (look.mass() != null) {
            launch("attention_mass", call, call.keys(), look, look.mass(), packing);
            launch("attention_entropy", call, call.queries(), look, look.entropy(), packing);
        }
    }

    private void launch(String kernel, AttentionCall call, int rows, AttentionLook look, Tensor result,
                        Packing packing) {
        KernelArgs args = packing.of(call).pointer(look.keys()).int32(look.columnCount())
                .pointer(result);
        cuda.kernel(FILE, kernel + (call.type() == DType.F16 ? "_f16" : "_bf16")).launch(call::toString,
                Math.ceilDiv(rows, WARPS), call.pairs(), 1, 32 * WARPS, (int) sharedBytes(call), args);
    }
}
