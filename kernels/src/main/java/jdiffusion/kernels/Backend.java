package jdiffusion.kernels;

import java.util.List;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;

/**
 * The seam between the models and a device: the few coarse operations that the whole family is made of, so that each
 * device can fuse as it likes behind it. Chosen once by the caller; an operation that fails throws, and never runs
 * elsewhere instead.
 *
 * <p>Activations are [rows, channels] with the outer dimensions flattened ("row" below); images are channels-last,
 * [batch, height, width, channels], except where a checkpoint's interface says otherwise. They are float32, or where
 * only matrix products, convolutions and attention read them, {@linkplain Workspace#operand operands}: attention's q,
 * k, v and out always are; a linear's or convolution's x and out, and what a norm, activation, embedding or change of
 * layout writes, may be. On the CPU operands are bfloat16 at the level avx512bf16 and else float32. Weights and
 * parameters may have any stored floating-point type. Tensors are checked on entry; an
 * {@link IllegalArgumentException} names the operation and both shapes. Output may not overlap an input unless said.
 * Sums are taken in an order that does not depend on the number of threads or the batch.
 */
public interface Backend extends AutoCloseable {
    /** The device in words, for the user: kind, instruction set, threads. */
    String describe();

    /**
     * What decides on the bits of its results beside the calls: two backends that say the same give the same. Threads
     * and the card's clock do not; precision, the order of sums and the instructions that round otherwise do.
     */
    String arithmetic();

    /** In what precision it takes the inputs of products. */
    Precision precision();

    /** A workspace of that size in this device's memory. */
    Workspace newWorkspace(long bytes);

    /**
     * Where a checkpoint's tensors are brought to be read by this device; valid until the checkpoint is closed.
     *
     * @param size as a placement of a backend that only counts had it in the end
     */
    Placement newPlacement(Placement.Size size);

    /** By what a backend that computes nothing counts the memory that this one would take. */
    MemoryModel memoryModel();

    /** What has been taken of this device's memory; of the host's, temporaries but not the mapped files. */
    MemoryCount memory();

    /** The products that were asked for. */
    WorkCount work();

    /**
     * Says what the operations until the scope's end are part of. Costs nothing where nobody measures.
     *
     * @param name  as in the checkpoint's tensors, where they have one for it
     * @param index among equals, or {@link Scope#ONCE}
     */
    default Scope scope(String name, int index) {
        return Scope.NONE;
    }

    /** The scope of what there is once. */
    default Scope scope(String name) {
        return scope(name, Scope.ONCE);
    }

    /** Returns when all operations so far are done, for clocks: a device may only have queued them. */
    default void finish() {
    }

    /** A clock for single operations. The usual one waits for the end of all work at each mark. */
    default WorkClock clock() {
        return () -> {
            finish();
            long now = System.nanoTime();
            return () -> now;
        };
    }

    /**
     * Measures for a moment how many floating-point operations a second products could reach at most: multiply-adds
     * on registers, on all threads, in the instructions that products use; 0 where there is no such measure.
     */
    default double measurePeak() {
        return 0;
    }

    /** Copies host values into a float32 or operand tensor of this device, rounded to nearest where it is narrower. */
    void upload(float[] values, Tensor to);

    /** Copies host indices into an {@code I32} tensor of this device. */
    void upload(int[] values, Tensor to);

    /** Copies a tensor of this device to a host array of as many elements, after all work on it is done. */
    void download(Tensor from, float[] to);

    /** The same, into a new array. */
    default float[] download(Tensor from) {
        float[] values = new float[Math.toIntExact(from.shape().size())];
        download(from, values);
        return values;
    }

    /** Linear layers of which none reads what another writes: a device may run them as one. */
    void linear(List<LinearCall> calls);

    /** out = epilogue(x w^T + bias): x [m, k], w [n, k], bias [n] or null, out [m, n]. */
    default void linear(Tensor x, Weight w, Tensor bias, Epilogue epilogue, Tensor out) {
        linear(List.of(new LinearCall(x, w, bias, epilogue, out)));
    }

    /**
     * A linear layer whose lower half gates its upper one: out = y1 * act(y2) with [y1, y2] = x w^T + bias, where x is
     * [m, k], w [2n, k], bias [2n] or null, out [m, n]. With GELU it is GEGLU: Shazeer, "GLU Variants Improve
     * Transformer" (2020).
     */
    void gatedLinear(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out);

    /**
     * Attention over the tokens of all streams joined, never holding a matrix of tokens by tokens: the queries of each
     * stream meet the keys of all. A stream without queries is only asked, one without keys only asks, as in
     * cross-attention; streams may differ in length, and sequences in how many of a stream's keys exist. On a device
     * q and k may be overwritten.
     *
     * @param relativeBias [heads, 2 n - 1] added to the scaled scores of key j for query i at column j - i + n - 1
     *                     (single stream of n tokens only); null for none. T5's position bias in its compact form.
     */
    void attention(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias);

    /**
     * {@link #attention} without a bias and a causal mask, whose probabilities are looked at: the same output to the
     * bit, and what {@link AttentionLook} says. No output may be q, unless all is kept on the way.
     *
     * @return multiplications and additions of scores that were computed a second time
     */
    long lookAtAttention(AttentionShape shape, List<AttentionStream> streams, AttentionLook look);

    /** Whether what is looked at is kept while such an attention runs, so that q is not read a second time. */
    default boolean keepsOnTheWay(AttentionShape shape, AttentionLook look) {
        return false;
    }

    /**
     * LayerNorm over channels, then weight and bias, then modulation: out = norm * (1 + scale) + shift.
     * x, out [m, c] (out may be x); weight, bias [c] or null; scale, shift [batch, c], one row for each of
     * {@code batch} equal runs of rows, or both null.
     */
    void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out);

    /** LayerNorm of one x with two modulations, as MMDiT-X has it: out = norm * (1 + scale) + shift, twice. */
    default void layerNormTwice(Tensor x, Tensor scale1, Tensor shift1, Tensor out1, Tensor scale2, Tensor shift2,
                                Tensor out2, float eps) {
        layerNorm(x, null, null, scale1, shift1, eps, out1);
        layerNorm(x, null, null, scale2, shift2, eps, out2);
    }

    /**
     * Modulation without a norm: out = x * (1 + scale) + shift; x, out [m, c] (out may be x), scale and shift as in
     * {@link #layerNorm}. All devices give the same bits.
     */
    void modulate(Tensor x, Tensor scale, Tensor shift, Tensor out);

    /** out = x / sqrt(mean(x^2) + eps) * weight; x, out [m, c] (out may be x), weight [c]. */
    void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out);

    /** GroupNorm over [batch, h, w, c] in {@code groups} groups of channels, then an activation; out may be x. */
    void groupNorm(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation, Tensor out);

    /**
     * Convolution of x [batch, h, w, cin] with weight [cout, cin, kh, kw] into out [batch, oh, ow, cout].
     *
     * @param weight   as {@link Placement#kernels} gave it
     * @param bias     [cout], [batch, cout] for one of each image, or null
     * @param epilogue STORE or ADD without a gate
     */
    void conv2d(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out);

    /**
     * Convolution of the GroupNorm of x; out may not be x.
     *
     * @param shape     of stride 1
     * @param bias      as of {@link #conv2d}
     * @param workspace where a device that does the one after the other puts the norm
     */
    void normedConv2d(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue,
                      Tensor out, Workspace workspace);

    /**
     * Doubles height and width by repetition: x [batch, h, w, c], out [batch, 2h, 2w, c], without its last row or
     * column where out has 2h - 1 or 2w - 1 of them.
     */
    void upsampleNearest(Tensor x, Tensor out);

    /**
     * Doubles height and width by repetition, then convolves with kernels of 3 and the same size: x [batch, h, w, cin],
     * weight [cout, cin, 3, 3], bias [cout] or null, out [batch, 2h, 2w, cout], or one less either way, as
     * {@link #upsampleNearest} has it.
     *
     * @param workspace where a device that does the one after the other puts the doubled image
     */
    void upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out, Workspace workspace);

    /**
     * Cuts channels-first images into rows of patches: x [batch, c, h, w], out [batch, h/p * w/p, c * p * p], each
     * row ordered (channel, y, x), which is the order of a patch embedding's convolution weight.
     */
    void patchify(Tensor x, int patch, Tensor out);

    /**
     * Puts patches together again: x [batch, h/p * w/p, p * p * c], each row ordered (y, x, channel), which is what
     * the final layer of DiT gives; out [batch, c, h, w].
     */
    void unpatchify(Tensor x, int patch, Tensor out);

    /** [batch, c, h, w] to [batch, h, w, c]. */
    void channelsLast(Tensor x, Tensor out);

    /** [batch, h, w, c] to [batch, c, h, w]. */
    void channelsFirst(Tensor x, Tensor out);

    /** a and b side by side: a [..., ca], b [..., cb], out [..., ca + cb]. */
    void joinChannels(Tensor a, Tensor b, Tensor out);

    /**
     * Rows of a table: ids [m] (I32) or null for 0, 1, 2, ..., table [v, c], out [m, c].
     *
     * @param add whether the rows are added to out, or stored
     */
    void embedding(Tensor ids, Tensor table, boolean add, Tensor out);

    /**
     * Sinusoidal timestep embedding, cosines first (Vaswani et al. 2017; {@code flip_sin_to_cos} of diffusers):
     * t [m], out [m, c], with frequencies 10000^(-i / (c/2)).
     */
    void timestepEmbedding(Tensor t, Tensor out);

    /** out = act(x), any equal shapes; out may be x. */
    void activate(Activation activation, Tensor x, Tensor out);

    /** out = act(x) * y: a gated activation on its own; out may be x or y. */
    void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out);

    /** out = sum of factors[i] * terms[i], equal shapes, up to four terms; out may be any term. */
    void combine(float[] factors, List<Tensor> terms, Tensor out);

    /** out = mask * a + (1 - mask) * b, all of equal shape; out may be any of them. */
    void blend(Tensor mask, Tensor a, Tensor b, Tensor out);

    @Override
    void close();
}
