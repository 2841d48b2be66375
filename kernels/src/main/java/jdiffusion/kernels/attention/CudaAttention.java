package jdiffusion.kernels.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.CudaKernel;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TensorMaps;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.kernels.rope.CudaRope;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * Attention on a CUDA device by {@code attention.cu}: q, k, v and out of one 16-bit type, BF16 or F16, norm weights and
 * bias of any stored type, at most {@value #MOST_STREAMS} streams.
 *
 * <p>Which kernel runs depends on the head's channels: up to 256, a multiple of 8, the tiles of the models' heads; up
 * to 512 in a single stream without mask and bias, that of the VAE's wide head. Both need rows aligned to
 * {@value #ALIGNMENT} bytes, which workspaces and the models' views of columns have. Everything else runs on a plain
 * kernel that is tens of times slower. On a device of compute capability 9.0, heads of 64, 72, 128 and 256 channels
 * without masks and bias, of which nobody looks at the scores, have kernels of their own, {@code attention_sm90.cu}.
 *
 * <p>Norms and rotations of heads are done before by {@link CudaRope}, which writes over q and k: a block of queries
 * meets all keys, so a kernel that did it on load would norm each key as often as there are blocks.
 */
public final class CudaAttention {
    private static final String FILE = "attention/attention";
    private static final String SM_90 = "_sm90";
    private static final int MOST_STREAMS = CudaRope.MOST_STREAMS;
    private static final int ALIGNMENT = 16;
    /** Of {@code struct Stream}. */
    private static final int STREAM_BYTES = 5 * Long.BYTES + 6 * Integer.BYTES;
    /** What a block of the plain kernel may take on every card. */
    private static final int MOST_SHARED_BYTES = 99 << 10;

    private final Cuda cuda;
    private final CudaRope rope;
    private final CudaAttentionLook looks;

    public CudaAttention(Cuda cuda) {
        this.cuda = cuda;
        this.rope = new CudaRope(cuda);
        this.looks = new CudaAttentionLook(cuda);
    }

    /**
     * A kernel and what one block of it takes.
     *
     * @param name          without the type
     * @param queries       of one head
     * @param acrossStreams whether a block's queries may be those of several streams
     */
    private record Variant(String name, int queries, boolean acrossStreams, int threads, int sharedBytes) {
        private static final Variant HEAD_32 = new Variant("attention_32", 128, false, 128, 0);
        private static final Variant HEAD_64 = new Variant("attention_64", 128, false, 128, 0);
        private static final Variant HEAD_72 = new Variant("attention_72", 128, false, 128, 0);
        private static final Variant HEAD_128 = new Variant("attention_128", 64, false, 128, 0);
        /** Shared memory is {@code struct Shared}: two stages of K and V, and the bias. */
        private static final Variant HEAD_256 = new Variant("attention_256", 64, false, 128,
                2 * 2 * 32 * 256 * 2 + 2 * (64 + 32) * Float.BYTES);
        /** Shared memory is {@code struct WideShared}: K, V, the powers, and four floats for each query. */
        private static final Variant WIDE = new Variant("attention_wide", 32, false, 256,
                2 * 32 * 512 * 2 + 32 * 32 * 2 + 32 * 4 * Float.BYTES);

        private static final List<Integer> HEADS_SM_90 = List.of(64, 72, 128, 256);

        static Variant of(AttentionCall call, boolean sm90) {
            int channels = call.shape().headDim();
            return sm90 && HEADS_SM_90.contains(channels) && isUnmasked(call) ? sm90(channels) : of(call);
        }

        /**
         * {@code struct Shape} of {@code attention_sm90.cu}. Shared memory is Q, stages of K and V, in rows of 64
         * channels, and the stages' four barriers and one of Q.
         */
        private static Variant sm90(int channels) {
            int groups = channels <= 72 ? 3 : 2;
            int stages = channels == 64 ? 4 : channels == 128 ? 3 : 2;
            int rowBytes = Math.ceilDiv(channels * DType.BF16.bytes(), TensorMaps.BOX_BYTES) * TensorMaps.BOX_BYTES;
            return new Variant("attention_" + channels + SM_90, 64 * groups, false, 128 * (groups + 1),
                    (64 * groups + stages * 2 * keysSm90(channels)) * rowBytes + (4 * stages + 1) * Long.BYTES);
        }

        /** Rows of the boxes that {@code attention_sm90.cu} takes of k and v. */
        static int keysSm90(int channels) {
            return channels <= 128 ? 128 : 80;
        }

        boolean isSm90() {
            return name.endsWith(SM_90);
        }

        /** All keys exist and are seen, rows go straight to shared memory, and nobody looks. */
        private static boolean isUnmasked(AttentionCall call) {
            return !call.shape().causal() && call.relativeBias() == null && call.logSums() == null
                    && call.streams().stream().allMatch(s -> s.keyCounts() == null && aligned(s));
        }

        static Variant of(AttentionCall call) {
            int channels = call.shape().headDim();
            if (channels % 8 == 0 && call.streams().stream().allMatch(CudaAttention::aligned)) {
                if (channels <= 256) {
                    return channels <= 32 ? HEAD_32 : channels <= 64 ? HEAD_64 : channels <= 72 ? HEAD_72
                            : channels <= 128 ? HEAD_128 : HEAD_256;
                }
                if (channels <= 512 && isBare(call)) {
                    return WIDE;
                }
            }
            return plain(call);
        }

        /** No mask or bias, one stream. */
        private static boolean isBare(AttentionCall call) {
            AttentionStream first = call.streams().getFirst();
            return call.streams().size() == 1 && !call.shape().causal() && call.relativeBias() == null
                    && first.keyCounts() == null;
        }

        /** Shared memory is a {@code struct Plain} for each of four warps. */
        private static Variant plain(AttentionCall call) {
            long shared = 4L * (2 * call.shape().headDim() + 32L) * Float.BYTES;
            if (shared > MOST_SHARED_BYTES) {
                throw new IllegalArgumentException(call + ": so many channels are more than a block can hold");
            }
            return new Variant("attention_plain", 4, true, 128, (int) shared);
        }

        /** Blocks for all queries of one head. */
        int blocks(AttentionCall call) {
            if (acrossStreams) {
                return Math.ceilDiv(call.queries(), queries);
            }
            return call.streams().stream().mapToInt(s -> Math.ceilDiv(s.queries(), queries)).sum();
        }
    }

    /** See {@link jdiffusion.kernels.Backend#attention}. */
    public void run(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        boolean half = !streams.isEmpty() && streams.getFirst().type() == DType.F16;
        run(AttentionCall.of(shape, streams, relativeBias, half ? DType.F16 : DType.BF16));
    }

    /** The same, and keeps what is looked at. */
    public void lookAt(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        boolean half = !streams.isEmpty() && streams.getFirst().type() == DType.F16;
        AttentionCall call = AttentionCall.of(shape, streams, null, half ? DType.F16 : DType.BF16).looking(look, true);
        CudaAttentionLook.check(call);
        AttentionCall ready = run(call);
        look.lap(cuda::synchronize);
        if (ready == null) {
            look.lap(cuda::synchronize);
        } else {
            looks.run(ready, look, this::pack);
        }
    }

    /** @return with what was done to q and k before; null where nothing asks */
    private AttentionCall run(AttentionCall call) {
        List<AttentionStream> streams = call.streams();
        boolean half = call.type() == DType.F16;
        if (streams.size() > MOST_STREAMS) {
            throw new IllegalArgumentException(call + ": more than " + MOST_STREAMS + " streams");
        }
        if (call.queries() == 0) {
            return null;
        }
        Variant variant = Variant.of(call, cuda.takesSm90());
        AttentionCall ready = prepared(call);
        boolean sm90 = variant.isSm90();
        CudaKernel kernel = cuda.kernel(sm90 ? FILE + SM_90 : FILE, variant.name() + (half ? "_f16" : "_bf16"));
        kernel.launch(call::toString, variant.blocks(call), call.pairs(), 1, variant.threads(),
                variant.sharedBytes(), sm90 ? packMapped(ready, variant) : pack(ready));
        return ready;
    }

    /** The call with norms and rotations done to q and k. */
    private AttentionCall prepared(AttentionCall call) {
        boolean layer = call.shape().norm() == Norm.LAYER;
        List<AttentionStream> before = new ArrayList<>();
        List<AttentionStream> after = new ArrayList<>();
        for (AttentionStream s : call.streams()) {
            if (layer || s.rotary() != null || s.qNorm() != null || s.kNorm() != null) {
                before.add(s);
                after.add(s.withNorms(null, null).withRotary(null));
            } else {
                after.add(s);
            }
        }
        if (before.isEmpty()) {
            return call;
        }
        rope.run(call.shape(), before);
        return new AttentionCall(call.shape(), after, call.relativeBias(), call.type(), call.keys(), call.queries(),
                call.counts(), call.logSums(), null);
    }

    private static boolean aligned(AttentionStream stream) {
        return Stream.of(stream.k(), stream.v(), stream.q(), stream.out()).allMatch(t -> t == null
                || t.data().address() % ALIGNMENT == 0 && (long) t.rowStride() * t.type().bytes() % ALIGNMENT == 0);
    }

    /** {@code struct MappedCall} of {@code attention_sm90.cu}. */
    private KernelArgs packMapped(AttentionCall call, Variant variant) {
        KernelArgs args = cuda.args();
        int keys = Variant.keysSm90(call.shape().headDim());
        map(args, call, AttentionStream::q, variant.queries());
        map(args, call, AttentionStream::k, keys);
        map(args, call, AttentionStream::v, keys);
        return pack(args, call).align(TensorMaps.ALIGNMENT);
    }

    private void map(KernelArgs args, AttentionCall call, Function<AttentionStream, Tensor> part, int boxRows) {
        for (int i = 0; i < MOST_STREAMS; i++) {
            Tensor tensor = i < call.streams().size() ? part.apply(call.streams().get(i)) : null;
            if (tensor == null || tensor.shape().size() == 0) {
                args.skip(TensorMaps.BYTES);
            } else {
                args.map(cuda.tensorMaps().heads(tensor, call.shape().heads(), boxRows));
            }
        }
    }

    private KernelArgs pack(AttentionCall call) {
        return pack(cuda.args(), call);
    }

    /** {@code struct Call} of {@code tiles.cuh}, field by field. */
    private KernelArgs pack(KernelArgs args, AttentionCall call) {
        AttentionShape shape = call.shape();
        for (AttentionStream s : call.streams()) {
            args.pointer(s.q()).pointer(s.k()).pointer(s.v()).pointer(s.out());
            args.pointer(s.keyCounts()).int32(s.queries()).int32(s.keys());
            args.int32(stride(s.q())).int32(stride(s.k())).int32(stride(s.v())).int32(stride(s.out()));
        }
        args.skip((MOST_STREAMS - call.streams().size()) * STREAM_BYTES);
        args.pointer(call.relativeBias()).int32(TypeCode.of(call.relativeBias()));
        args.int32(shape.heads()).int32(shape.headDim()).int32(shape.causal() ? 1 : 0);
        args.float32((float) (shape.scale() / Math.log(2))).int32(call.queries());
        return args.pointer(call.logSums());
    }

    private static int stride(Tensor tensorOrNull) {
        return tensorOrNull == null ? 0 : tensorOrNull.rowStride();
    }
}
