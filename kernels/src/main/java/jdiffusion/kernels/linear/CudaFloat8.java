package jdiffusion.kernels.linear;

import java.util.Locale;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TypeCode;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;

/**
 * Weights that are stored as float8 by inputs that are rounded to it: {@code linear_fp8.cuh}, or on a device of compute
 * capability 9.0 {@code linear_fp8_sm90.cu}.
 */
final class CudaFloat8 implements CudaFormat {
    /** Elements of a chunk of shared memory. */
    private static final int CHUNK = 16;
    private static final int ALIGNMENT = 256;
    /** As {@code quantise_rows} has them. */
    private static final int ROWS_OF_BLOCK = 4;
    private static final int THREADS_OF_BLOCK = 128;
    private static final String FILE = "linear/linear_fp8_sm89";
    private static final String NATIVE_FILE = "linear/linear_fp8_native_sm89";

    private final Cuda cuda;

    CudaFloat8(Cuda cuda) {
        this.cuda = cuda;
    }

    /**
     * An input as it is multiplied: row r is about scales[r] values[r].
     *
     * @param values F8_E4M3, [m, k up to a multiple of 16], zeros beyond k
     * @param scales F32, [m]
     */
    record Rows(Tensor values, Tensor scales) {
    }

    /** What {@link #quantise} fills. */
    static long scratchBytes(Tensor x) {
        return valueBytes(x) + aligned((long) x.rows() * Float.BYTES);
    }

    private static long valueBytes(Tensor x) {
        return aligned((long) x.rows() * padded(x.cols()));
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    }

    private static int padded(int cols) {
        return Math.ceilDiv(cols, CHUNK) * CHUNK;
    }

    /** Rounds each row to e4m3, its largest magnitude to 448. */
    Rows quantise(Tensor x, long scratch) {
        int padded = padded(x.cols());
        Tensor values = at(scratch, DType.F8_E4M3, Shape.of(x.rows(), padded));
        Tensor scales = at(scratch + valueBytes(x), DType.F32, Shape.of(x.rows()));
        cuda.kernel(FILE, "quantise_rows").launch(() -> "rounding the rows of " + x + " to float8",
                Math.ceilDiv(x.rows(), ROWS_OF_BLOCK), 1, 1, THREADS_OF_BLOCK, 0,
                cuda.args().pointer(x).int32(x.rowStride()).int32(TypeCode.of(x.type())).pointer(values)
                        .pointer(scales).int32(x.rows()).int32(x.cols()).int32(padded).align(8));
        return new Rows(values, scales);
    }

    private static Tensor at(long address, DType type, Shape shape) {
        return Tensor.of(Unreadable.at(address, shape.size() * type.bytes()), type, shape);
    }

    @Override
    public String file() {
        return FILE;
    }

    @Override
    public String file(DType product, String variant) {
        return isDirect(variant) ? NATIVE_FILE : FILE;
    }

    @Override
    public String kernel(DType product) {
        return "linear_fp8";
    }

    /**
     * Beside an adapter only the kernels of compute capability 9.0 take whole rows as they are.
     *
     * @param plain whether there is nothing that an adapter makes of x
     */
    @Override
    public String variant(LinearCall call, DType product, boolean plain) {
        Tensor w = tensor(call.w());
        boolean whole = w.data().address() % CHUNK == 0 && w.cols() % CHUNK == 0 && w.rowStride() % CHUNK == 0;
        String type = w.type().name().toLowerCase(Locale.ROOT).substring("f8".length());
        boolean direct = cuda.takesSm90() ? plain || product == DType.BF16 : plain && cuda.multipliesFloat8();
        return type + (direct && whole && w.type() == DType.F8_E4M3 ? "" : "_any");
    }

    private static boolean isDirect(String variant) {
        return !variant.endsWith("_any");
    }

    /** Whether {@link CudaMappedLinear} makes the product, on a device whose {@code mma} has no float8. */
    boolean isMapped(String variant) {
        return isDirect(variant) && cuda.takesSm90();
    }

    @Override
    public GemmTile larger(String variant) {
        return isDirect(variant) ? GemmTile.BROAD : GemmTile.LARGE;
    }

    /** {@code struct Bytes}. */
    static void input(KernelArgs args, Rows x) {
        args.align(8).pointer(x.values()).pointer(x.scales()).int32(x.values().rowStride()).int32(x.values().cols());
    }

    @Override
    public void weight(KernelArgs args, Weight w) {
        Tensor tensor = tensor(w);
        args.align(8).pointer(tensor).pointer(0).int32(tensor.rowStride()).int32(tensor.cols());
    }

    /** In pairs of elements. */
    @Override
    public int depth(LinearCall call) {
        return padded(call.k()) / 2;
    }

    @Override
    public float scale(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.scale() : 1;
    }

    @Override
    public String label() {
        return "in float8 ";
    }

    private static Tensor tensor(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.tensor() : ((Weight.Dense) w).tensor();
    }
}
