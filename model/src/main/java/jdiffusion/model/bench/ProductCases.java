package jdiffusion.model.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticTensors;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * Single operations at the shapes of a family, with weights in bfloat16 that differ from call to call as those of
 * blocks do, so that caches do not hold them.
 */
final class ProductCases {
    /** Weights of one case together: more than caches hold. */
    private static final long WEIGHT_BYTES = 96L << 20;
    private static final int PIECE = 1 << 20;
    private static final DType TYPE = DType.BF16;
    private static final DType FLOAT8 = DType.F8_E4M3;

    private ProductCases() {
    }

    /** The linear layers of a block: rows x inputs x outputs; {@code float8}: with weights in e4m3. */
    static List<Case<?>> gemm(SyntheticModel model, Shapes s, boolean float8) {
        List<Case<?>> cases = new ArrayList<>();
        shapes(model).products(s.batch(), s.width(), s.height(), s.text())
                .forEach(product -> cases.add(linear(product[0], product[1], product[2],
                        float8 ? FLOAT8 : TYPE)));
        return cases;
    }

    private static BenchShapes shapes(SyntheticModel model) {
        return Families.of(model.architecture()).bench(model);
    }

    private static Case<List<Weight>> linear(int m, int k, int n, DType type) {
        int count = count((long) k * n * type.bytes());
        return new Case<>("gemm", m + "x" + k + "x" + n, Component.DENOISER,
                () -> SyntheticTensors.equal(count, k, type, n, k), (weights, _) -> {
            List<Weight> matrices = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                matrices.add(weights.at(Integer.toString(i)).matrix("weight", n, k));
            }
            return matrices;
        }, (matrices, compute) -> {
            Tensor x = random(compute, compute.workspace().operand(m, k));
            Tensor out = compute.workspace().operand(m, n);
            return () -> matrices.forEach(w -> compute.backend().linear(x, w, null, Epilogue.STORE, out));
        }, count, 1);
    }

    private static int count(long bytes) {
        return Math.clamp(Math.ceilDiv(WEIGHT_BYTES, bytes), 2, 24);
    }

    /** The attentions of a block. */
    static List<Case<?>> attention(SyntheticModel model, Shapes s) {
        List<Case<?>> cases = new ArrayList<>();
        shapes(model).attentions(s.batch(), s.width(), s.height(), s.text()).forEach(a -> cases.add(attention(a)));
        return cases;
    }

    private static Case<Object> attention(BenchAttention a) {
        AttentionShape shape = AttentionShape.of(a.batch(), a.heads(), a.channels());
        return new Case<>("attention", a.label(), Component.DENOISER, () -> SyntheticTensors.equal(0, 1, TYPE),
                (_, _) -> "nothing", (_, compute) -> {
            List<AttentionStream> streams = new ArrayList<>();
            for (int n : a.tokens()) {
                Tensor[] t = new Tensor[4];
                for (int i = 0; i < t.length; i++) {
                    t[i] = random(compute, compute.workspace().operand(a.batch(), n, a.heads() * a.channels()));
                }
                AttentionStream stream = AttentionStream.of(t[0], t[1], t[2], t[3]);
                if (a.norms()) {
                    stream = stream.withNorms(random(compute, compute.workspace().f32(a.channels())),
                            random(compute, compute.workspace().f32(a.channels())));
                }
                streams.add(!a.rotary() ? stream
                        : stream.withRotary(random(compute, compute.workspace().f32(n, a.channels()))));
            }
            return () -> compute.backend().attention(shape, streams, null);
        }, 1, 1);
    }

    /** The convolutions of the VAE's decoder, each shape once. */
    static List<Case<?>> conv(SyntheticModel model, Shapes shapes) {
        ConfigFile config = ConfigFile.of("the VAE", model.config(Component.VAE));
        List<Integer> channels = config.integers("block_out_channels").reversed();
        int factor = 1 << channels.size() - 1;
        List<Case<?>> cases = new ArrayList<>();
        int in = channels.getFirst();
        cases.add(conv(shapes, factor, config.size("latent_channels"), in));
        for (int i = 0; i < channels.size(); i++) {
            int level = factor >> i;
            int out = channels.get(i);
            if (in != out) {
                cases.add(conv(shapes, level, in, out));
            }
            cases.add(conv(shapes, level, out, out));
            if (level > 1) {
                cases.add(conv(shapes, level / 2, out, out));
            }
            in = out;
        }
        cases.add(conv(shapes, 1, in, config.size("in_channels")));
        List<String> seen = new ArrayList<>();
        cases.removeIf(one -> seen.contains(one.what()) || !seen.add(one.what()));
        return cases;
    }

    /** @param level by how much its images are smaller than the picture */
    private static Case<List<Tensor>> conv(Shapes shapes, int level, int in, int out) {
        Conv2dShape s = Conv2dShape.same(shapes.batch(), shapes.height() / level, shapes.width() / level, in, out, 3);
        int count = Math.min(3, count((long) in * out * s.kernel() * s.kernel() * TYPE.bytes()));
        return new Case<>("conv", Shape.of(s.batch(), s.height(), s.width(), in) + " 3x3 to " + out, Component.VAE,
                () -> SyntheticTensors.equal(count, in * s.kernel() * s.kernel(), TYPE, out, in, s.kernel(),
                        s.kernel()),
                (weights, _) -> {
            List<Tensor> kernels = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                kernels.add(weights.at(Integer.toString(i)).kernels("weight", out, in, s.kernel(), s.kernel()));
            }
            return kernels;
        }, (kernels, compute) -> {
            Backend backend = compute.backend();
            Tensor x = random(compute, compute.workspace().wideOperand(s.batch(), s.height(), s.width(), in));
            Tensor y = compute.workspace().f32(s.batch(), s.height(), s.width(), out);
            return () -> kernels.forEach(w -> backend.conv2d(s, x, w, null, Epilogue.STORE, y));
        }, count, 1);
    }

    /** Fills a tensor with normal random numbers, the same in each piece. */
    static Tensor random(Compute compute, Tensor tensor) {
        int cols = tensor.cols();
        Tensor rows = tensor.reshape(tensor.rows(), cols);
        int step = Math.clamp(PIECE / cols, 1, rows.rows());
        float[] values = random(step * cols);
        for (int row = 0; row < rows.rows(); row += step) {
            int n = Math.min(step, rows.rows() - row);
            compute.backend().upload(n == step ? values : Arrays.copyOf(values, n * cols), rows.slice(row, row + n));
        }
        return tensor;
    }

    /** Normal random numbers, always the same. */
    static float[] random(int count) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
