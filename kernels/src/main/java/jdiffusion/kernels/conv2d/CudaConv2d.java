package jdiffusion.kernels.conv2d;

import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.kernels.linear.GemmArgs;
import jdiffusion.kernels.linear.GemmTile;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** Convolution on a CUDA device: a product on tensor cores, in bfloat16, whose left rows are gathered patches. */
public final class CudaConv2d {
    private static final String FILE = "conv2d/conv2d";
    /** The largest kernel whose patches go straight to shared memory. */
    private static final int LARGEST_DIRECT = 7;
    private static final int CHUNK = 8;
    private static final int REORDER_THREADS = 256;

    private final Cuda cuda;

    public CudaConv2d(Cuda cuda) {
        this.cuda = cuda;
    }

    /**
     * Turns weights as a checkpoint stores them into what {@link #run} reads: the order of memory becomes
     * [cout, k, k, cin].
     *
     * @param stored [cout, cin, k, k] of any floating-point type, on the device
     * @param placed [cout, cin, k, k] by its shape, BF16; written
     */
    public static void place(Cuda cuda, Tensor stored, Tensor placed) {
        int[] dims = stored.shape().dims();
        if (dims.length != 4 || !stored.type().isFloat() || !stored.isContiguous() || !placed.isContiguous()
                || placed.type() != DType.BF16 || !placed.shape().equals(stored.shape())) {
            throw new IllegalArgumentException("conv2d: weights " + stored + " cannot be placed as " + placed);
        }
        int pairs = Math.multiplyExact(dims[0], dims[1]);
        if (stored.shape().size() == 0) {
            return;
        }
        KernelArgs args = cuda.args().pointer(stored).int32(TypeCode.of(stored)).pointer(placed).int32(pairs)
                .int32(dims[1]).int32(dims[2] * dims[3]);
        cuda.kernel(FILE, "conv2d_reorder").launch(() -> "placing convolution weights " + stored,
                Math.ceilDiv(pairs, REORDER_THREADS), 1, 1, REORDER_THREADS, 0, args);
    }

    /**
     * See {@link jdiffusion.kernels.Backend#conv2d}.
     *
     * @param weight what {@link #place} wrote
     */
    public void run(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        shape.check(x, weight, bias, epilogue, out);
        if (weight.type() != DType.BF16) {
            throw new IllegalArgumentException("conv2d: the weight " + weight + " was not placed on the device");
        }
        int k = Math.multiplyExact(shape.kernel() * shape.kernel(), shape.cin());
        Tensor rows = weight.reshape(shape.cout(), k);
        boolean direct = isDirect(shape, x, rows);
        GemmTile tile = direct ? GemmTile.BROAD.orSmaller(out.rows(), out.cols(), cuda.multiprocessors())
                : GemmTile.SMALL;
        KernelArgs args = cuda.args();
        images(args, shape, x);
        GemmArgs.rows(args, rows);
        GemmArgs.side(args, null, null);
        GemmArgs.output(args, bias, epilogue, out, k, 0);
        args.int32(1).align(8);
        cuda.kernel(FILE, "conv2d_" + (direct ? tile.label() : "gather"))
                .launch(() -> "conv2d " + shape + " of " + x + " to " + out, tile.blocks(out.rows(), out.cols()), 1, 1,
                        tile.threads(), tile.sharedBytes(), args);
    }

    /** Whether 8 channels of a pixel are one copy, and the input's chunks can be counted in 32 bits. */
    private static boolean isDirect(Conv2dShape shape, Tensor x, Tensor weightRows) {
        return GemmArgs.isDirect(x, DType.BF16) && GemmArgs.isDirect(weightRows, DType.BF16)
                && shape.kernel() <= LARGEST_DIRECT
                && (long) x.rows() * x.rowStride() / CHUNK < Integer.MAX_VALUE / 2;
    }

    /** {@code struct Images} of {@code conv2d.cu}. */
    private static void images(KernelArgs args, Conv2dShape shape, Tensor x) {
        int pixelChunks = x.rowStride() / CHUNK;
        args.pointer(x).int32(x.rowStride()).int32(TypeCode.of(x)).int32(pixelChunks)
                .int32(pixelChunks * shape.width()).int32(shape.height()).int32(shape.width()).int32(shape.cin())
                .int32(shape.outHeight()).int32(shape.outWidth()).int32(shape.kernel()).int32(shape.stride())
                .int32(shape.padLow());
    }
}
