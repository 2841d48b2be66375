package jdiffusion.kernels.rope;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * The norm of heads and their rotation by position, of q and k in place, before attention on a CUDA device. The CPU
 * does it where attention packs them.
 */
public final class CudaRope {
    /** At most so many streams. */
    public static final int MOST_STREAMS = 3;
    private static final String FILE = "rope/rope";
    private static final int THREADS = 128;
    private static final int WARP = 32;
    /** Channels of a thread. */
    private static final int RUN = 8;
    private static final int ALIGNMENT = 16;
    /** Of {@code struct Stream}. */
    private static final int STREAM_BYTES = 2 * (2 * Long.BYTES + 2 * Integer.BYTES) + Long.BYTES + 4 * Integer.BYTES;

    private final Cuda cuda;

    public CudaRope(Cuda cuda) {
        this.cuda = cuda;
    }

    /**
     * Applies the shape's norm and the streams' rotary tables; a stream that has nothing of it stays as it is.
     *
     * @param streams checked, of one 16-bit type
     */
    public void run(AttentionShape shape, List<AttentionStream> streams) {
        int lanes = Integer.highestOneBit(2 * Math.ceilDiv(shape.headDim(), RUN) - 1);
        boolean runs = shape.headDim() % RUN == 0 && lanes <= WARP && streams.stream().allMatch(CudaRope::aligned);
        int perBlock = THREADS / (runs ? lanes : WARP);
        int rows = streams.stream().mapToInt(s -> shape.batch() * Math.max(s.queries(), s.keys())).max().orElse(0);
        if (rows == 0) {
            return;
        }
        DType type = Stream.of(streams.getFirst().q(), streams.getFirst().k()).filter(t -> t != null).findFirst()
                .orElseThrow().type();
        int blocks = Math.toIntExact(Math.ceilDiv((long) rows * shape.heads(), perBlock));
        cuda.kernel(FILE, (runs ? "rope_runs_" : "rope_elements_") + (type == DType.F16 ? "f16" : "bf16"))
                .launch(() -> "norm and rotation of " + shape.heads() + " heads of " + shape.headDim() + " channels",
                        blocks, 2, streams.size(), THREADS, 0, pack(shape, streams, lanes));
    }

    /** {@code struct Rope}, field by field. */
    private KernelArgs pack(AttentionShape shape, List<AttentionStream> streams, int lanes) {
        KernelArgs args = cuda.args();
        boolean layer = shape.norm() == Norm.LAYER;
        for (AttentionStream s : streams) {
            boolean turned = s.rotary() != null;
            heads(args, layer || turned || s.qNorm() != null ? s.q() : null, s.qNorm());
            heads(args, layer || turned || s.kNorm() != null ? s.k() : null, s.kNorm());
            int tokens = Math.max(s.queries(), s.keys());
            args.pointer(s.rotary()).int32(turned ? s.rotary().rowStride() : 0).int32(shape.batch() * tokens)
                    .int32(tokens).align(Long.BYTES);
        }
        args.skip((MOST_STREAMS - streams.size()) * STREAM_BYTES);
        return args.int32(shape.heads()).int32(shape.headDim()).int32(layer ? 1 : 0).int32(lanes)
                .float32(shape.normEps()).float32(1f / shape.headDim()).align(Long.BYTES);
    }

    private static void heads(KernelArgs args, Tensor x, Tensor norm) {
        args.pointer(x).pointer(norm).int32(x == null ? 0 : x.rowStride()).int32(TypeCode.of(norm));
    }

    private static boolean aligned(AttentionStream stream) {
        return Stream.of(stream.q(), stream.k(), stream.rotary()).allMatch(t -> t == null
                || isAligned(t) && (long) t.rowStride() * t.type().bytes() % ALIGNMENT == 0)
                && Stream.of(stream.qNorm(), stream.kNorm()).allMatch(t -> t == null || isAligned(t));
    }

    private static boolean isAligned(Tensor tensor) {
        return tensor.data().address() % ALIGNMENT == 0;
    }
}
