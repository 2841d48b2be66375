package jdiffusion.model.adapter;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.adapter.LoraKey.Part;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** The tensors of a LoRA file that belong to one module, and the delta that they make. */
final class LoraModule {
    /** Types that an alpha may have beside those of matrices. */
    private static final Set<DType> WIDE = EnumSet.of(DType.F64, DType.I64, DType.I32);
    /** What is added to other tensors than matrices. */
    private static final Set<Part> VECTORS = EnumSet.of(Part.BIAS, Part.BIAS_DIFFERENCE, Part.NORM_DIFFERENCE,
            Part.NORM_BIAS_DIFFERENCE);
    /** Elements of a matrix that factors are multiplied to, far beyond those of all published models. */
    private static final long MOST = 1 << 28;

    private final String file;
    private final String name;
    private final Map<Part, Tensor> tensors = new EnumMap<>(Part.class);
    private final Map<Part, String> keys = new EnumMap<>(Part.class);

    /** @param name what the file calls the module */
    LoraModule(String file, String name) {
        this.file = file;
        this.name = name;
    }

    String name() {
        return name;
    }

    /** Names of the tensors in the file. */
    List<String> keys() {
        return new ArrayList<>(keys.values());
    }

    void put(Part part, String key, Tensor stored) {
        Tensor tensor = stored.type() == DType.F64 && part != Part.ALPHA && stored.shape().size() > 0
                ? narrowed(stored) : stored;
        if (tensors.put(part, tensor) != null) {
            throw new InputException(file + ": " + InputException.shown(keys.get(part)) + " and "
                    + InputException.shown(key) + " are the same part of one matrix; the file cannot be used");
        }
        keys.put(part, key);
        boolean number = part == Part.ALPHA && WIDE.contains(tensor.type());
        if (!tensor.type().isFloat() && !number) {
            throw new InputException(file + ": " + InputException.shown(key) + " is of type " + tensor.type()
                    + "; floating-point numbers are expected");
        }
        if (tensor.shape().size() == 0) {
            throw new InputException(file + ": " + InputException.shown(key) + " is empty, " + tensor.shape());
        }
        checkFinite(key, tensor);
    }

    /** Of float64, as float32. */
    private static Tensor narrowed(Tensor stored) {
        int cols = stored.shape().rank() == 0 ? 1 : stored.shape().cols();
        float[] values = new float[Math.toIntExact(stored.shape().size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = stored.get(i / cols, i % cols);
        }
        return Tensor.of(values, stored.shape().dims());
    }

    private void checkFinite(String key, Tensor tensor) {
        checkFinite(file, key, tensor);
    }

    /** Fails when a tensor of a file holds what is no number. */
    static void checkFinite(String file, String key, Tensor tensor) {
        for (float value : tensor.toArray()) {
            if (!Float.isFinite(value)) {
                throw new InputException(file + ": " + InputException.shown(key) + " holds " + value
                        + "; the file is damaged, download it again");
            }
        }
    }

    /** Exchanges the halves of the first factor's rows, the upper one the larger. */
    void exchangeDown() {
        Tensor down = tensors.get(Part.DOWN);
        if (down != null && down.shape().rank() == 2) {
            int half = Math.ceilDiv(down.rows(), 2) * down.cols();
            float[] values = down.toArray();
            float[] exchanged = Arrays.copyOfRange(values, half, values.length + half);
            System.arraycopy(values, 0, exchanged, values.length - half, half);
            tensors.put(Part.DOWN, Tensor.of(exchanged, down.shape().dims()));
        }
    }

    /** Whether something is added to the module's matrix, not only to its bias or to a norm. */
    boolean changesMatrix() {
        boolean vector = norm(false) != null || norm(true) != null;
        return !vector || keys.keySet().stream().anyMatch(part -> !VECTORS.contains(part) && part != Part.ALPHA
                && (part != Part.DIFFERENCE || vector(part) == null));
    }

    /** What is added to a norm: its weight, or its bias where that is asked for; null for nothing. */
    float[] norm(boolean bias) {
        return bias ? or(vector(Part.NORM_BIAS_DIFFERENCE), vector(Part.BIAS_DIFFERENCE))
                : or(vector(Part.NORM_DIFFERENCE), vector(Part.DIFFERENCE));
    }

    private static float[] or(float[] one, float[] other) {
        return one == null ? other : one;
    }

    private float[] vector(Part part) {
        Tensor tensor = tensors.get(part);
        return tensor == null || tensor.shape().rank() != 1 ? null : tensor.toArray();
    }

    /**
     * What is added to the matrix, as trained.
     *
     * @param settings the file's alphas where no tensor gives one
     */
    Delta delta(LoraSettings settings) {
        if (tensors.containsKey(Part.DOWN) || tensors.containsKey(Part.UP)) {
            Tensor down = flat(Part.DOWN);
            Tensor up = flat(Part.UP);
            Tensor first = tensors.containsKey(Part.MID) ? core(Part.MID, Part.DOWN) : down;
            if (up.cols() != first.rows()) {
                throw misfit(Part.UP, tensors.containsKey(Part.MID) ? Part.MID : Part.DOWN);
            }
            return new Delta.LowRank(first, up, scale(settings, down.rows()));
        }
        if (tensors.containsKey(Part.DIFFERENCE)) {
            return Delta.Kronecker.of(Tensor.of(new float[] {1}, 1, 1), null, flat(Part.DIFFERENCE), 1);
        }
        if (keys.keySet().stream().anyMatch(part -> part.label().startsWith("hada"))) {
            return hadamard(settings);
        }
        if (keys.keySet().stream().anyMatch(part -> part.label().startsWith("lokr"))) {
            return kronecker(settings);
        }
        throw new InputException(file + ": " + InputException.shown(keys().getFirst())
                + " stands alone; the matrices it belongs to are missing, the file is not whole");
    }

    /**
     * What is added to the layer's bias, as trained; null for nothing.
     *
     * @param settings the file's alphas where no tensor gives one
     */
    float[] bias(LoraSettings settings, LoraTargets.Target target) {
        Part part = tensors.containsKey(Part.BIAS) ? Part.BIAS : Part.BIAS_DIFFERENCE;
        Tensor bias = tensors.get(part);
        if (bias == null) {
            return null;
        }
        String key = file + ": " + InputException.shown(keys.get(part));
        if (bias.shape().size() != target.rows()) {
            throw new InputException(key + " is " + bias.shape() + ", but the layer has " + target.rows()
                    + " outputs; the file is damaged or for another model");
        }
        if (!target.biased() || tensors.containsKey(Part.MAGNITUDE)) {
            throw new InputException(key + " is a bias, which " + (target.biased() ? "goes with no DoRA"
                    : "the model's layer has not") + "; the file cannot be used");
        }
        float[] values = bias.toArray();
        float scale = part == Part.BIAS ? scale(settings, flat(Part.DOWN).rows()) : 1;
        for (int i = 0; i < values.length; i++) {
            values[i] *= scale;
        }
        return values;
    }

    /**
     * DoRA's lengths; null when this is none. PEFT has one for each output. LyCORIS and OneTrainer have one for each
     * input, [1, inputs, ...], or as they are told, for each output, [outputs, 1, ...].
     */
    Magnitude magnitude(LoraSettings settings, LoraTargets.Target target) {
        Tensor lengths = tensors.get(Part.MAGNITUDE);
        if (lengths == null) {
            settings.checkPlain(name);
            return null;
        }
        String key = keys.get(Part.MAGNITUDE);
        Shape shape = lengths.shape();
        long size = shape.size();
        boolean vector = Arrays.stream(shape.dims()).anyMatch(dim -> dim == size);
        boolean ofInputs = size == target.inputs() && !key.contains(LoraKey.OF_OUTPUTS);
        boolean ofRows = size == target.rows() && (!ofInputs || shape.dim(0) == size);
        if (!vector || !ofRows && !ofInputs) {
            throw new InputException(file + ": " + InputException.shown(key) + " is " + shape
                    + ", but DoRA's lengths of a layer with " + target.rows() + " outputs and " + target.inputs()
                    + " inputs are [" + target.rows() + ", 1]"
                    + (key.contains(LoraKey.OF_OUTPUTS) ? "" : " or [1, " + target.inputs() + "]")
                    + "; the file is damaged or for another model");
        }
        return new Magnitude(file + ": " + InputException.shown(key), ofRows, lengths.toArray(),
                target.cols() / target.inputs());
    }

    /**
     * (a1 b1) * (a2 b2), element by element (Hyeon-Woo et al., "FedPara", 2022), is one pair whose rank is the product
     * of both: each column of the one times each of the other.
     */
    private Delta hadamard(LoraSettings settings) {
        Tensor a1 = left(Part.LOHA_W1_A, Part.LOHA_T1);
        Tensor b1 = right(Part.LOHA_W1_B, Part.LOHA_T1);
        Tensor a2 = left(Part.LOHA_W2_A, Part.LOHA_T2);
        Tensor b2 = right(Part.LOHA_W2_B, Part.LOHA_T2);
        checkProduct(a1, Part.LOHA_W1_A, b1, Part.LOHA_W1_B);
        checkProduct(a2, Part.LOHA_W2_A, b2, Part.LOHA_W2_B);
        if (a1.rows() != a2.rows() || b1.cols() != b2.cols()) {
            throw misfit(Part.LOHA_W1_A, Part.LOHA_W2_A);
        }
        int rank = checked((long) b1.rows() * b2.rows());
        float[] up = new float[checked((long) a1.rows() * rank)];
        float[] down = new float[checked((long) rank * b1.cols())];
        for (int r = 0; r < rank; r++) {
            int r1 = r / b2.rows();
            int r2 = r % b2.rows();
            for (int i = 0; i < a1.rows(); i++) {
                up[i * rank + r] = a1.get(i, r1) * a2.get(i, r2);
            }
            for (int i = 0; i < b1.cols(); i++) {
                down[r * b1.cols() + i] = b1.get(r1, i) * b2.get(r2, i);
            }
        }
        return new Delta.LowRank(Tensor.of(down, rank, b1.cols()), Tensor.of(up, a1.rows(), rank),
                scale(settings, flat(Part.LOHA_W1_B).rows()));
    }

    /** Without a factor of low rank the file's alpha has no meaning, and LyCORIS takes 1. */
    private Delta kronecker(LoraSettings settings) {
        int rank = 0;
        Tensor w1 = tensors.get(Part.LOKR_W1);
        if (w1 == null) {
            Tensor a = flat(Part.LOKR_W1_A);
            Tensor b = flat(Part.LOKR_W1_B);
            checkProduct(a, Part.LOKR_W1_A, b, Part.LOKR_W1_B);
            rank = b.rows();
            checked((long) a.rows() * b.cols());
            w1 = product(a, b);
        } else {
            w1 = flat(Part.LOKR_W1);
        }
        Tensor left = null;
        Tensor right;
        if (tensors.containsKey(Part.LOKR_W2)) {
            right = flat(Part.LOKR_W2);
        } else {
            left = left(Part.LOKR_W2_A, Part.LOKR_T2);
            right = right(Part.LOKR_W2_B, Part.LOKR_T2);
            checkProduct(left, Part.LOKR_W2_A, right, Part.LOKR_W2_B);
            rank = flat(Part.LOKR_W2_B).rows();
        }
        checked((long) w1.rows() * (left == null ? right : left).rows());
        checked((long) w1.cols() * right.cols());
        return Delta.Kronecker.of(w1, left, right, rank == 0 ? 1 : scale(settings, rank));
    }

    /** The first factor, [outputs, rank]; beside a core it is stored the other way round. */
    private Tensor left(Part part, Part core) {
        Tensor stored = flat(part);
        if (!tensors.containsKey(core)) {
            return stored;
        }
        float[] values = new float[checked(stored.shape().size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = stored.get(i % stored.rows(), i / stored.rows());
        }
        return Tensor.of(values, stored.cols(), stored.rows());
    }

    private Tensor right(Part part, Part core) {
        return tensors.containsKey(core) ? core(core, part) : flat(part);
    }

    /**
     * A convolution's core times its second factor (Tucker's decomposition, as LyCORIS has it).
     *
     * @param core  [rows, rank, height, width]
     * @param right [rank, inputs]
     * @return [rows, inputs * height * width]
     */
    private Tensor core(Part core, Part right) {
        float[] inner = flat(core).toArray();
        Tensor factor = flat(right);
        float[] factors = factor.toArray();
        int[] dims = tensors.get(core).shape().dims();
        if (dims.length != 4 || dims[1] != factor.rows()) {
            throw misfit(core, right);
        }
        int area = checked((long) dims[2] * dims[3]);
        int cols = checked((long) factor.cols() * area);
        float[] values = new float[checked((long) dims[0] * cols)];
        for (int row = 0; row < dims[0]; row++) {
            for (int r = 0; r < dims[1]; r++) {
                for (int i = 0; i < cols; i++) {
                    values[row * cols + i] += inner[(row * dims[1] + r) * area + i % area]
                            * factors[r * factor.cols() + i / area];
                }
            }
        }
        return Tensor.of(values, dims[0], cols);
    }

    /** Small tensors of a damaged file may be factors of a matrix that no memory could hold. */
    private int checked(long size) {
        if (size > MOST) {
            throw new InputException(file + ": " + InputException.shown(keys().getFirst()) + " and the tensors beside"
                    + " it are factors of a matrix larger than any model's, with a size of " + size
                    + "; the file is damaged, download it again");
        }
        return (int) size;
    }

    private static Tensor product(Tensor a, Tensor b) {
        float[] values = new float[a.rows() * b.cols()];
        for (int i = 0; i < a.rows(); i++) {
            for (int r = 0; r < b.rows(); r++) {
                for (int j = 0; j < b.cols(); j++) {
                    values[i * b.cols() + j] += a.get(i, r) * b.get(r, j);
                }
            }
        }
        return Tensor.of(values, a.rows(), b.cols());
    }

    private float scale(LoraSettings settings, int rank) {
        Tensor alpha = tensors.get(Part.ALPHA);
        if (alpha == null) {
            return (float) settings.scale(name, rank);
        }
        if (alpha.shape().size() != 1) {
            throw new InputException(file + ": " + InputException.shown(keys.get(Part.ALPHA)) + " is "
                    + alpha.shape() + ", not one number");
        }
        return (float) ((double) alpha.reshape(1, 1).get(0, 0) / rank);
    }

    /** A factor as a matrix: of a 1x1 or unfolded convolution all sizes but the first are its columns. */
    private Tensor flat(Part part) {
        Tensor tensor = tensors.get(part);
        if (tensor == null) {
            throw new InputException(file + ": " + InputException.shown(keys().getFirst()) + " has no " + part.label()
                    + " beside it; the file is not whole");
        }
        if (tensor.shape().rank() < 2) {
            throw new InputException(file + ": " + InputException.shown(keys.get(part)) + " is " + tensor.shape()
                    + ", not a matrix");
        }
        int rows = tensor.shape().dim(0);
        return tensor.reshape(rows, Math.toIntExact(tensor.shape().size() / rows));
    }

    private void checkProduct(Tensor left, Part leftPart, Tensor right, Part rightPart) {
        if (left.cols() != right.rows()) {
            throw misfit(leftPart, rightPart);
        }
    }

    private InputException misfit(Part one, Part other) {
        return new InputException(file + ": " + InputException.shown(keys.get(one)) + " " + tensors.get(one).shape()
                + " and " + InputException.shown(keys.get(other)) + " " + tensors.get(other).shape()
                + " do not belong together");
    }
}
