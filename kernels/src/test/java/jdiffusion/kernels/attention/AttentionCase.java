package jdiffusion.kernels.attention;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.rope.RopeReference;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * One attention problem for tests and benchmarks.
 *
 * @param tokens  length of each stream
 * @param silent  index of the stream that asks no queries, or -1
 * @param asking  index of the stream that has no keys, or -1
 * @param norm    storage type of the q and k norm weights, or null for none
 * @param bias    whether there is a relative bias
 * @param spread  standard deviation of q; large ones make a hard maximum of the softmax
 * @param turned  indices of the streams with a rotary table
 * @param counts  key counts of each sequence, for each stream that has them
 */
record AttentionCase(AttentionShape shape, List<Integer> tokens, int silent, int asking, DType norm, boolean bias,
                     float spread, List<Integer> turned, Map<Integer, List<Integer>> counts) {
    static AttentionCase of(int batch, int heads, int headDim, Integer... tokens) {
        return new AttentionCase(AttentionShape.of(batch, heads, headDim), List.of(tokens), -1, -1, null, false, 1,
                List.of(), Map.of());
    }

    AttentionCase causal() {
        return new AttentionCase(shape.withCausal(), tokens, silent, asking, norm, bias, spread, turned, counts);
    }

    AttentionCase scale(float scale) {
        return new AttentionCase(shape.withScale(scale), tokens, silent, asking, norm, bias, spread, turned, counts);
    }

    AttentionCase silent(int stream) {
        return new AttentionCase(shape, tokens, stream, asking, norm, bias, spread, turned, counts);
    }

    /** Queries of a picture, keys of a text. */
    static AttentionCase cross(int batch, int heads, int headDim, int queries, int keys) {
        return of(batch, heads, headDim, queries, keys).asking(0).silent(1);
    }

    AttentionCase asking(int stream) {
        return new AttentionCase(shape, tokens, silent, stream, norm, bias, spread, turned, counts);
    }

    AttentionCase norm(DType type) {
        return new AttentionCase(shape, tokens, silent, asking, type, bias, spread, turned, counts);
    }

    AttentionCase biased() {
        return new AttentionCase(shape, tokens, silent, asking, norm, true, spread, turned, counts);
    }

    AttentionCase spread(float newSpread) {
        return new AttentionCase(shape, tokens, silent, asking, norm, bias, newSpread, turned, counts);
    }

    AttentionCase layerNorm() {
        return new AttentionCase(shape.withLayerNorm(1e-5f), tokens, silent, asking, norm, bias, spread, turned,
                counts);
    }

    AttentionCase turned(Integer... streams) {
        return new AttentionCase(shape, tokens, silent, asking, norm, bias, spread, List.of(streams), counts);
    }

    /** @param ofSequences keys of the stream that exist, of each sequence */
    AttentionCase counts(int stream, Integer... ofSequences) {
        Map<Integer, List<Integer>> all = new TreeMap<>(counts);
        all.put(stream, List.of(ofSequences));
        return new AttentionCase(shape, tokens, silent, asking, norm, bias, spread, turned, all);
    }

    /** What the tests run: every feature, sizes around the kernel's blocks and far from multiples of them. */
    static List<AttentionCase> ragged() {
        List<AttentionCase> cases = new ArrayList<>();
        for (int n : new int[] {1, 5, 63, 64, 65, 95, 97, 130, 200}) {
            cases.add(of(1, 2, 64, n));
            cases.add(of(2, 2, 24, n).causal());
            cases.add(of(1, 2, 32, n).scale(1).biased());
        }
        cases.addAll(List.of(
                of(2, 1, 512, 20),
                of(1, 1, 512, 101),
                of(1, 3, 1, 7),
                of(1, 1, 7, 101),
                of(1, 2, 48, 100).causal().norm(DType.F32),
                of(2, 3, 64, 64, 77).norm(DType.BF16),
                of(2, 2, 32, 100, 33).norm(DType.F16),
                of(1, 2, 24, 30, 200).norm(DType.F8_E4M3),
                of(1, 2, 64, 64, 77).norm(DType.F32).silent(1),
                of(2, 2, 24, 77, 130).silent(0),
                of(1, 2, 64, 5, 1, 63),
                of(1, 2, 64, 70, 0),
                cross(2, 2, 64, 150, 77),
                cross(1, 2, 40, 33, 1),
                cross(1, 3, 64, 1, 130).norm(DType.F32),
                cross(2, 1, 24, 5, 64),
                of(1, 2, 64, 70, 20, 77).asking(0).silent(2),
                of(2, 1, 32, 40, 65).asking(1).norm(DType.BF16),
                of(1, 1, 64, 150).spread(100),
                of(1, 2, 24, 130).scale(1).biased().spread(30),
                of(1, 2, 24, 70).causal().biased()));
        return cases;
    }

    /** Norms, positions and missing keys as in FLUX, AuraFlow, PixArt and UMT5, heads of their sizes. */
    static List<AttentionCase> ofFamilies() {
        return List.of(
                of(1, 2, 128, 100).norm(DType.F32).turned(0),
                of(2, 1, 128, 65, 30).norm(DType.BF16).turned(0),
                of(1, 2, 24, 30, 100).turned(1),
                of(1, 1, 2, 77).turned(0),
                of(1, 1, 72, 50, 20).norm(DType.F32).turned(0, 1).silent(1),
                of(1, 2, 64, 200, 33).norm(DType.F16).turned(0, 1).asking(0),
                of(1, 1, 256, 60, 37).layerNorm(),
                of(2, 2, 72, 70).layerNorm().turned(0),
                of(1, 2, 33, 97).layerNorm(),
                of(1, 2, 32, 200).layerNorm().causal(),
                of(2, 2, 72, 130).counts(0, 1, 99),
                of(3, 1, 64, 400).counts(0, 0, 400, 193),
                of(2, 2, 64, 200).counts(0, 7, 200).causal(),
                of(3, 2, 64, 150).scale(1).biased().counts(0, 150, 20, 0),
                of(2, 1, 24, 230).scale(1).biased().counts(0, 97, 192),
                of(2, 2, 32, 70, 77, 250).counts(0, 3, 70).counts(2, 0, 200).norm(DType.F32).turned(1, 2),
                of(2, 1, 64, 40, 230).counts(0, 0, 1).counts(1, 0, 230),
                cross(2, 2, 72, 150, 300).counts(1, 20, 300),
                cross(2, 1, 72, 33, 70).layerNorm().counts(1, 0, 65),
                cross(2, 1, 128, 70, 200).norm(DType.F32).turned(0).counts(1, 192, 12));
    }

    /**
     * What the benchmark runs: MMDiT joined and image only, SDXL's from image to text, the VAE's, heads of several sizes
     * with as much work each (heads of 72 an eighth more), and those of FLUX.1, AuraFlow, PixArt and UMT5 at 1024x1024.
     */
    static AttentionCase named(String name) {
        return switch (name) {
            case "joint512px" -> of(1, 24, 64, 1024, 333).norm(DType.F32);
            case "joint1024px" -> of(1, 24, 64, 4096, 333).norm(DType.F32);
            case "small" -> of(2, 4, 64, 64, 333);
            case "cross" -> cross(1, 10, 64, 4096, 77);
            case "vae" -> of(1, 1, 512, 1024);
            case "heads64" -> of(1, 24, 64, 2048);
            case "heads72" -> of(1, 24, 72, 2048);
            case "heads128" -> of(1, 12, 128, 2048);
            case "heads256" -> of(1, 6, 256, 2048);
            case "flux" -> of(1, 24, 128, 4608).norm(DType.F32).turned(0);
            case "auraflow" -> of(1, 12, 256, 4096, 264).layerNorm();
            case "pixart" -> of(2, 16, 72, 4096);
            case "pixartText" -> cross(2, 16, 72, 4096, 300).counts(1, 20, 300);
            case "umt5" -> of(2, 32, 64, 256).scale(1).biased().counts(0, 10, 256);
            default -> throw new IllegalArgumentException(name);
        };
    }

    long flops() {
        int queries = 0;
        for (int s = 0; s < tokens.size(); s++) {
            queries += s == silent ? 0 : tokens.get(s);
        }
        return shape.flops(queries, keys());
    }

    int keys() {
        int keys = 0;
        for (int s = 0; s < tokens.size(); s++) {
            keys += s == asking ? 0 : tokens.get(s);
        }
        return keys;
    }

    /** The arguments, filled with the same numbers each time: each stream's q, k, v are columns of one tensor. */
    Arguments arguments() {
        return arguments(DType.F32);
    }

    /** The same numbers as a device's operand type holds them, in float32. */
    Arguments arguments(DType operand) {
        return arguments(operand, DType.F32);
    }

    /** The same numbers as a device's operand type holds them; q, k, v and out are {@code stored} so. */
    Arguments arguments(DType operand, DType stored) {
        int width = shape.heads() * shape.headDim();
        Numbers numbers = numbers();
        List<AttentionStream> streams = new ArrayList<>();
        for (int s = 0; s < tokens.size(); s++) {
            int n = tokens.get(s);
            float[] values = numbers.qkv.get(s).clone();
            for (int i = 0; i < values.length; i++) {
                values[i] = rounded(operand, values[i] * (i % (3 * width) < width ? spread : 1));
            }
            Tensor qkv = stored(stored, values, shape.batch(), n, 3 * width);
            Tensor qNorm = norm == null ? null : stored(norm, numbers.norms.get(2 * s).clone(), shape.headDim());
            Tensor kNorm = norm == null ? null : stored(norm, numbers.norms.get(2 * s + 1).clone(), shape.headDim());
            // One column more than needed on either side shows writes out of place.
            float[] wide = new float[shape.batch() * Math.max(1, n) * (width + 2)];
            Arrays.fill(wide, Float.NaN);
            Tensor out = stored(stored, wide, shape.batch(), n, width + 2).columns(1, width + 1);
            boolean asks = s != silent;
            boolean isAsked = s != asking;
            streams.add(AttentionStream.of(asks ? qkv.columns(0, width) : null,
                    isAsked ? qkv.columns(width, 2 * width) : null, isAsked ? qkv.columns(2 * width, 3 * width) : null,
                    asks ? out : null).withNorms(qNorm, kNorm)
                    .withRotary(numbers.tables.get(s))
                    .withKeyCounts(counts.containsKey(s) ? integers(counts.get(s)) : null));
        }
        Tensor relative = bias ? Tensor.of(numbers.bias.clone(), shape.heads(), 2 * keys() - 1) : null;
        return new Arguments(streams, relative);
    }

    /** Those of the case that was asked for last: a case is computed in several ways, one after the other. */
    private static volatile Numbers last;

    private Numbers numbers() {
        Numbers known = last;
        if (known == null || !known.of.equals(this)) {
            known = Numbers.drawn(this);
            last = known;
        }
        return known;
    }

    /**
     * Random numbers of a case.
     *
     * @param norms  of q and of k, stream by stream
     * @param tables null where a stream is not turned
     */
    private record Numbers(AttentionCase of, List<float[]> qkv, List<float[]> norms, List<Tensor> tables,
                           float[] bias) {
        static Numbers drawn(AttentionCase of) {
            AttentionShape shape = of.shape;
            Random random = new Random(Objects.hash(shape.batch(), shape.heads(), shape.headDim(), of.tokens));
            Numbers numbers = new Numbers(of, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(),
                    of.bias ? new float[shape.heads() * (2 * of.keys() - 1)] : null);
            for (int s = 0; s < of.tokens.size(); s++) {
                int n = of.tokens.get(s);
                // A stream of no tokens has memory all the same, for its views of columns to start in.
                numbers.qkv.add(gaussian(random, shape.batch() * Math.max(1, n) * 3 * shape.heads() * shape.headDim(),
                        1));
                for (int i = 0; i < 2 && of.norm != null; i++) {
                    numbers.norms.add(gaussian(random, shape.headDim(), 1));
                }
                numbers.tables.add(of.turned.contains(s) ? RopeReference.table(random, n, shape.headDim()) : null);
            }
            if (of.bias) {
                float[] bias = gaussian(random, numbers.bias.length, 2);
                System.arraycopy(bias, 0, numbers.bias, 0, bias.length);
            }
            return numbers;
        }
    }

    /** @param streams all with qkv side by side in one tensor, out a tensor of its own */
    record Arguments(List<AttentionStream> streams, Tensor bias) {
        /** The outputs of all asking streams. */
        List<float[]> outputs() {
            return streams.stream().filter(s -> s.out() != null).map(s -> s.out().toArray()).toList();
        }
    }

    List<float[]> run(int threads, Precision precision) {
        return run(threads, precision, CpuLevel.best());
    }

    List<float[]> run(int threads, Precision precision, CpuLevel level) {
        try (Cpu cpu = new Cpu(threads, precision, level)) {
            return run(cpu);
        }
    }

    List<float[]> run(Cpu cpu) {
        return run(cpu, arguments());
    }

    List<float[]> run(Cpu cpu, Arguments arguments) {
        new CpuAttention(cpu).run(shape, arguments.streams(), arguments.bias());
        return arguments.outputs();
    }

    static float rounded(DType type, double x) {
        return switch (type) {
            case F32 -> (float) x;
            case BF16 -> FloatFormat.bf16ToFloat(FloatFormat.floatToBf16((float) x));
            case F16 -> FloatFormat.f16ToFloat(FloatFormat.floatToF16((float) x));
            default -> throw new IllegalArgumentException(type.toString());
        };
    }

    static float[] gaussian(Random random, int n, float spread) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian() * spread;
        }
        return values;
    }

    static Tensor integers(List<Integer> values) {
        MemorySegment data = MemorySegment.ofArray(values.stream().mapToInt(i -> i).toArray());
        return Tensor.of(data, DType.I32, Shape.of(values.size()));
    }

    private static Tensor stored(DType type, float[] values, int... dims) {
        MemorySegment data = MemorySegment.ofArray(new byte[values.length * type.bytes()]);
        for (int i = 0; i < values.length; i++) {
            float x = values[i];
            switch (type) {
                case F32 -> data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i, x);
                case F16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, FloatFormat.floatToF16(x));
                case BF16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, FloatFormat.floatToBf16(x));
                case F8_E4M3 -> data.set(ValueLayout.JAVA_BYTE, i, FloatFormat.floatToE4m3(x));
                default -> throw new IllegalArgumentException(type.toString());
            }
        }
        return Tensor.of(data, type, Shape.of(dims));
    }
}
