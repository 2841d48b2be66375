package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.LongToDoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.emulator.EmulatorOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Programs that other people might write, compiled by nvcc with line information, against results of the host. */
class ProgramsTest {

    private static final String VECTOR_ATOMICS =
        "vector_atomics<<<2,48>>>(in:x=rand(96), sums=zeros(4x4), before=zeros(96), bins=zeros(8x2))";

    /** What a program's array should hold, computed from the arrays as they were at first. */
    interface Expected {
        LongToDoubleFunction of(Map<String, HostArray> before);
    }

    /** {@code launches}: several are separated by semicolons. */
    record Case(String program, String launches, String array, double tolerance, Expected expected) {
        @Override
        public String toString() {
            return program;
        }
    }

    static Case of(String program, String launches, String array, double tolerance, Expected expected) {
        return new Case(program, launches, array, tolerance, expected);
    }

    static Session session(String program) throws IOException {
        String file = program + ".ptx";
        LabProgram loaded = LabProgram.of(Path.of(file), Programs.ptx("programs", program), file);
        return new Session(loaded, EmulatorOptions.defaults().withCheck(true).withThreads(2), 1, 60);
    }

    static Stream<Case> programs() {
        return Stream.of(
            of("saxpy", "saxpy<<<4,256>>>(1000, 2.0, in:x=rand(1000), y=rand(1000))", "y", 1e-6,
                b -> i -> 2 * b.get("x").get(i) + b.get("y").get(i)),
            of("reduce", "reduce<<<3,128>>>(in:x=rand(1000), s=zeros(1), 1000)", "s", 1e-3,
                b -> _ -> sum(b.get("x"), 0, 1000)),
            of("transpose", "transpose<<<(2,2),(32,8)>>>(in:x=rand(64x64), y=zeros(64x64), 64)", "y", 0,
                b -> i -> b.get("x").get(i % 64 * 64 + i / 64)),
            of("histogram", "histogram<<<1,256>>>(in:d=rand(1000,u8), b=zeros(256,i32), 1000)", "b", 0,
                b -> i -> IntStream.range(0, 1000).filter(k -> b.get("d").get(k) == i).count()),
            of("softmax", "softmax<<<3,32>>>(in:x=rand(3x70), y=zeros(3x70), 70)", "y", 1e-5, b -> i -> Math.exp(
                b.get("x").get(i)) / IntStream.range(0, 70).mapToDouble(k -> Math.exp(b.get("x").get(i / 70 * 70 + k)))
                .sum()),
            of("compare_and_swap", "compare_and_swap<<<2,48>>>(s=zeros(1,f64), in:x=rand(96,f64))", "s", 1e-9,
                b -> _ -> sum(b.get("x"), 0, 96)),
            of("votes", "votes<<<1,32>>>(in:x=rand(32,i32), y=zeros(32,i32))", "y", 0, b -> _ -> {
                int ballot = IntStream.range(0, 32).map(k -> ((int) b.get("x").get(k) & 1) << k).sum();
                boolean any = IntStream.range(0, 32).anyMatch(k -> b.get("x").get(k) > 90);
                return ballot + (any ? 1 : 0) + 2 + 4;
            }),
            of("words", "words<<<1,16>>>(in:a=rand(16,i32), in:b=rand(16,i32), y=zeros(48,i32))", "y", 0, b -> i -> {
                int x = (int) b.get("a").get(i / 3);
                int y = (int) b.get("b").get(i / 3);
                return i % 3 == 0 ? x * y + 7 : i % 3 == 1 ? x + y & 0xff
                        : (x & 0xff) | (x >> 8 & 0xff) << 16 | (y & 0xff) << 8 | (y >> 8 & 0xff) << 24;
            }),
            of("local_array", "local_array<<<1,4>>>(in:i=full(16,15,i32), y=zeros(64,i32))", "y", 0, _ -> i -> {
                long[] a = new long[16];
                for (int k = 0; k < 16; k++) {
                    a[k] = k * k + i / 16;
                }
                for (int k = 0; k < 16; k++) {
                    long t = a[k];
                    a[k] = a[15];
                    a[15] = t;
                }
                return a[(int) i % 16];
            }),
            of("switches", "switches<<<1,64>>>(in:x=rand(64,i32), y=zeros(64,i32))", "y", 0, b -> i -> {
                int v = (int) b.get("x").get(i);
                return switch (v % 8) {
                    case 0 -> v * 3;
                    case 1 -> v ^ 0x55;
                    case 2 -> v / 3;
                    case 3 -> -v;
                    case 4 -> v << 2;
                    case 5 -> Integer.bitCount(v);
                    case 6 -> Integer.numberOfLeadingZeros(v);
                    default -> Integer.reverse(v);
                };
            }),
            of("constants", "constants<<<1,32>>>(in:x=rand(40), y=zeros(32))", "y", 1e-5, b -> i -> {
                HostArray x = b.get("x");
                return 0.5 * x.get(i) - x.get(i + 1) + 2 * x.get(i + 2) + 0.25 * x.get(i + 3) + 3;
            }),
            of("dynamic_shared", "dynamic_shared<<<1,64,400>>>(in:x=rand(100), y=zeros(100), 100)", "y", 0,
                b -> i -> b.get("x").get(99 - i)),
            of("pipeline", "pipeline<<<1,64>>>(in:x=rand(5x256), y=zeros(5x256), 5)", "y", 0,
                b -> i -> b.get("x").get(i / 256 * 256 + (63 - i % 256 / 4) * 4 + i % 4)),
            of("grid3", "grid3<<<(2,3,4),(4,2,3)>>>(y=zeros(24x24,i32))", "y", 0, _ -> i -> i / 24 * 1000 + i % 24),
            of("structure", "structure<<<1,8>>>(bytes(00000040 0500 01 00 000000000000f83f), y=zeros(8))", "y", 1e-6,
                _ -> i -> 2 * i + 5 + 1.5),
            of("calls", "calls<<<1,40>>>(in:x=rand(40), y=zeros(40))", "y", 1e-5, b -> i -> {
                double s = b.get("x").get(i) * b.get("x").get(i) + 1;
                return (i % 3 == 0 ? s * s + s - 2 : s) + s - 2;
            }),
            of("recursion", "recursion<<<1,40>>>(y=zeros(40,i32))", "y", 0, _ -> i -> fib((int) i % 12)),
            of("quicksort", "quicksort<<<1,8>>>(a=rand(8x20,i32), 20)", "a", 0, b -> i -> IntStream.range(0, 20)
                .mapToDouble(k -> b.get("a").get(i / 20 * 20 + k)).sorted().toArray()[(int) i % 20]),
            of("frames", "frames<<<1,32>>>(y=zeros(32,i32))", "y", 0, _ -> i -> frames((int) i % 7, 7)),
            of("doubles", "doubles<<<1,16>>>(in:x=rand(16,f64), y=zeros(64,f64))", "y", 1e-12, b -> i -> {
                double v = b.get("x").get(i / 4);
                return switch ((int) i % 4) {
                    case 0 -> Math.sin(v);
                    case 1 -> Math.pow(v, 1.7);
                    case 2 -> Math.tanh(v);
                    default -> Math.exp(-v) + Math.log(v + 1) + Math.sqrt(v) + Math.cbrt(v);
                };
            }),
            of("mutual", "mutual<<<1,32>>>(y=zeros(32,i32))", "y", 0, _ -> i -> 1 - i % 2),
            of("halves", "halves<<<1,16>>>(in:a=rand(16,f16), in:b=full(16,0.75,f16), y=zeros(96,f16))", "y", 2e-3,
                b -> i -> {
                    double x = b.get("a").get(i / 6);
                    return switch ((int) i % 6) {
                        case 0 -> x + 0.75;
                        case 1 -> x * 0.75;
                        case 2 -> x * 0.75 + 0.5;
                        case 3 -> Math.exp(x);
                        case 4 -> x / 0.75;
                        default -> x;
                    };
                }),
            of("half_pairs", "half_pairs<<<1,16>>>(in:a=rand(32,f16), in:b=rand(32,f16), y=zeros(48))", "y", 2e-3,
                b -> i -> {
                    HostArray x = b.get("a");
                    HostArray y = b.get("b");
                    long k = i / 3 * 2;
                    return switch ((int) i % 3) {
                        case 0 -> x.get(k) * y.get(k) + 0.25 + x.get(k + 1);
                        case 1 -> x.get(k + 1) * y.get(k + 1) + 0.25 + x.get(k);
                        default -> x.get(k) > y.get(k + 1) ? 1 : 0;
                    };
                }),
            of("bfloats", "bfloats<<<1,16>>>(in:a=rand(16,bf16), in:b=rand(16,bf16), y=zeros(32))", "y", 1e-2,
                b -> i -> {
                    double x = b.get("a").get(i / 2);
                    double y = b.get("b").get(i / 2);
                    return i % 2 == 0 ? x + y : x * y + x;
                }),
            of("wmma_f16", "wmma_f16<<<1,32>>>(in:a=rand(16x48,f16), in:b=rand(16x48,f16), c=zeros(16x16), 48)", "c",
                1e-4, b -> i -> 2 * IntStream.range(0, 48).mapToDouble(
                    k -> b.get("a").get(i / 16 * 48 + k) * b.get("b").get(i % 16 * 48 + k)).sum()),
            of("wmma_bf16", "wmma_bf16<<<1,32>>>(in:a=rand(256,bf16), in:b=rand(256,bf16), c=rand(256))", "c", 1e-4,
                b -> i -> b.get("c").get(i) + IntStream.range(0, 16).mapToDouble(
                    k -> b.get("a").get(k * 16 + i % 16) * b.get("b").get(k * 16 + i / 16)).sum()),
            of("wmma_shapes", "wmma_shapes<<<1,32>>>(in:a=rand(32x16,f16), in:b=rand(16x8,f16), c=rand(32x8,f16))",
                "c", 2e-3, b -> i -> b.get("c").get(i) + IntStream.range(0, 16).mapToDouble(
                    k -> b.get("a").get(i / 8 * 16 + k) * b.get("b").get(k * 8 + i % 8)).sum()),
            of("wmma_int8", "wmma_int8<<<1,32>>>(in:a=rand(256,i8), in:b=rand(256,i8), c=zeros(256,i32))", "c", 0,
                b -> i -> 5 + IntStream.range(0, 16).mapToDouble(
                    k -> b.get("a").get(i / 16 * 16 + k) * b.get("b").get(i % 16 * 16 + k)).sum()),
            of("wmma_tf32", "wmma_tf32<<<1,32>>>(in:a=rand(16x8), in:b=rand(16x8), c=zeros(16x16))", "c", 5e-3,
                b -> i -> IntStream.range(0, 8).mapToDouble(
                    k -> b.get("a").get(i / 16 * 8 + k) * b.get("b").get(i % 16 * 8 + k)).sum()),
            of("redux", "redux<<<1,32>>>(in:x=rand(32,i32), y=zeros(6,i32))", "y", 0, b -> i -> {
                IntStream x = IntStream.range(0, 32).map(k -> (int) b.get("x").get(k));
                return switch ((int) i) {
                    case 0 -> x.sum();
                    case 1 -> x.max().orElseThrow() - 50;
                    case 2 -> x.min().orElseThrow();
                    case 3 -> x.reduce(0, (p, q) -> p ^ q);
                    case 4 -> x.reduce(0, (p, q) -> p | q);
                    default -> x.reduce(-1, (p, q) -> p & (q | 5));
                };
            }),
            of("groups", "groups<<<1,64>>>(in:x=rand(64,i32), y=zeros(64,i32))", "y", 0,
                b -> i -> sum(b.get("x"), i / 8 * 8, i / 8 * 8 + 8) * 1000 + sum(b.get("x"), i / 8 * 8, i + 1)),
            of("grid_sync", "grid_sync<<<6,32>>>(a=zeros(192,i32), b=zeros(192,i32), 3)", "b", 0,
                _ -> i -> (i + 37) % 192 + 2),
            of("barrier", "barrier<<<1,64>>>(y=zeros(64,i32), 5)", "y", 0, _ -> i -> (i + 5) % 64 + 10),
            of("spin_lock", "spin_lock<<<3,70>>>(c=zeros(1,i32))", "c", 0, _ -> _ -> 210),
            of("matmul", "matmul<<<(2,2),(16,16)>>>(in:a=rand(32x32), in:b=rand(32x32), c=zeros(32x32), 32)", "c",
                1e-4, b -> i -> IntStream.range(0, 32).mapToDouble(
                    k -> b.get("a").get(i / 32 * 32 + k) * b.get("b").get(k * 32 + i % 32)).sum()),
            of("scan", "scan<<<1,256>>>(in:x=rand(256,i32), y=zeros(256,i32))", "y", 0,
                b -> i -> sum(b.get("x"), 0, i + 1)),
            of("stencil", "stencil<<<(3,3),(8,8)>>>(in:x=rand(20x20), y=zeros(20x20), 20, 20)", "y", 1e-5, b -> i -> {
                HostArray x = b.get("x");
                boolean inside = i % 20 > 0 && i % 20 < 19 && i / 20 > 0 && i / 20 < 19;
                return inside ? x.get(i - 1) + x.get(i + 1) + x.get(i - 20) + x.get(i + 20) - 4 * x.get(i) : 0;
            }),
            of("integers", "integers<<<1,16>>>(in:x=rand(16,i64), y=zeros(64,i64))", "y", 1e-12, b -> i -> {
                long v = (long) b.get("x").get(i / 4);
                return switch ((int) i % 4) {
                    case 0 -> v * v / 7 - v % 5;
                    case 1 -> Math.multiplyHigh(v << 40, v << 30);
                    case 2 -> Long.bitCount(v) + (v == 0 ? 0 : Long.numberOfTrailingZeros(v) + 1)
                            + Long.numberOfLeadingZeros(v);
                    default -> (v * 2654435761L & 0xffffffffL) >>> 5
                            | (long) ((int) ~v << 7 | (int) v >>> 25) << 32;
                };
            }),
            of("floats", "floats<<<1,16>>>(in:x=rand(16), y=zeros(96))", "y", 1e-5, b -> i -> {
                double v = b.get("x").get(i / 6);
                return switch ((int) i % 6) {
                    case 0 -> Math.sin(v);
                    case 1 -> Math.pow(v, 1.3);
                    case 2 -> Math.tanh(v);
                    case 3 -> errorFunction(v);
                    case 4 -> 1 / Math.sqrt(v + 1);
                    default -> (float) v % 0.3f;
                };
            }),
            of("match", "match<<<1,32>>>(in:x=rand(32,i32), y=zeros(32,i32))", "y", 0, b -> i -> {
                int[] same = IntStream.range(0, 32).filter(
                    k -> b.get("x").get(k) % 4 == b.get("x").get(i) % 4).toArray();
                return same.length * 100 + same[0] + 1;
            }),
            of("block_sort", "block_sort<<<1,64>>>(in:x=rand(128,i32), y=zeros(128,i32))", "y", 0, b -> i ->
                IntStream.range(0, 128).mapToDouble(k -> b.get("x").get(k)).sorted().toArray()[(int) i]),
            of("block_sort", "block_scan<<<1,128>>>(in:x=rand(128,i32), y=zeros(128,i32))", "y", 0,
                b -> i -> sum(b.get("x"), 0, i + 1)),
            of("atomic_refs", "atomic_refs<<<1,64>>>(in:x=rand(64,i32), y=zeros(3,i32))", "y", 0, b -> i -> i == 0
                ? sum(b.get("x"), 0, 64) : i == 1 ? IntStream.range(0, 64).mapToDouble(k -> b.get("x").get(k)).max()
                .orElseThrow() : 128),
            of("staged", "staged<<<1,64>>>(in:x=rand(5x256), y=zeros(5x256), 5)", "y", 1e-6,
                b -> i -> b.get("x").get(i / 256 * 256 + (63 - i % 256 / 4) * 4 + i % 4) + (i % 4 == 0 ? 1 : 0)),
            of("lane_groups", "lane_groups<<<1,32>>>(in:x=rand(32,i32), y=zeros(32,i32))", "y", 0, b -> i -> {
                double[] label = IntStream.range(0, 32).mapToDouble(k -> b.get("x").get(k))
                        .filter(v -> v % 4 == b.get("x").get(i) % 4).toArray();
                return DoubleStream.of(label).sum() * 10000 + label.length * 100 + IntStream.range(0, (int) i)
                        .filter(k -> b.get("x").get(k) % 2 == b.get("x").get(i) % 2).count();
            }),
            of("lane_groups", "lane_matches<<<1,32>>>(in:x=rand(32,i64), y=zeros(32,i32))", "y", 0,
                b -> i -> IntStream.range(0, 32).filter(k -> b.get("x").get(k) % 3 == b.get("x").get(i) % 3).count() * 10
                    + 1),
            of("simd", "simd<<<1,32>>>(in:a=rand(32,u32), in:b=range(32,u32), y=zeros(128,u32))", "y", 0, b -> i -> {
                int x = (int) (long) b.get("a").get(i / 4);
                int z = (int) (long) b.get("b").get(i / 4);
                long bytes = 0;
                int sum = 0;
                for (int at = 0; at < 32; at += 8) {
                    int difference = Math.abs((x >>> at & 0xff) - (z >>> at & 0xff));
                    sum += difference;
                    bytes |= (long) difference << at;
                }
                return switch ((int) i % 4) {
                    case 0 -> sum;
                    case 1 -> bytes;
                    case 2 -> (5 + (short) x * (byte) z + (x >> 16) * (byte) (z >> 8)) & 0xffffffffL;
                    default -> 7 << 16 | Math.clamp(x >> 20, 0, 255) << 8 | Math.clamp(z >> 20, 0, 255);
                };
            }),
            of("minmax", "minmax<<<1,64>>>(in:x=rand(64,i32), y=full(4,5,i32), z=zeros(1,u64))", "y", 0, b -> i -> {
                IntStream x = IntStream.concat(IntStream.of(5), IntStream.range(0, 64)
                        .map(k -> (int) b.get("x").get(k)));
                return switch ((int) i) {
                    case 0 -> x.max().orElseThrow();
                    case 1 -> x.min().orElseThrow();
                    case 2 -> x.reduce(0, (p, q) -> p ^ q);
                    default -> (5 + 64) % 21;
                };
            }),
            of("generic_atomics", "generic_atomics<<<1,64>>>(in:x=rand(64,i32), y=zeros(2,i32))", "y", 0,
                b -> i -> IntStream.range(0, 64).filter(k -> b.get("x").get(k) % 2 == i).count()),
            of("vectors", "vectors<<<1,16>>>(in:x=rand(16x4), in:c=rand(16x4,u8), y=zeros(16x4))", "y", 1e-5,
                b -> i -> {
                    double v = b.get("x").get(i / 4 * 4 + 3 - i % 4);
                    double u = b.get("c").get(i);
                    return switch ((int) i % 4) {
                        case 0 -> v + u;
                        case 1 -> v - u;
                        case 2 -> v * u;
                        default -> v / (1 + u);
                    };
                }),
            of("named_barriers", "named_barriers<<<1,128>>>(y=zeros(128,i32))", "y", 0,
                _ -> i -> i / 64 * 64 + (i % 64 + 5) % 64),
            of("pointers", "pointers<<<1,40>>>(in:x=rand(40), y=zeros(40), 1)", "y", 1e-4, b -> i -> {
                double x = b.get("x").get(i);
                return pointed((int) (i + 1) % 3, x, 3) + 1 + (i % 2 == 1 ? pointed((int) (i + 1) % 3, 2, x) : 2 * x);
            }),
            of("pointers", "areas<<<1,40>>>(in:x=rand(40), y=zeros(40))", "y", 1e-5,
                b -> i -> b.get("x").get(i) * b.get("x").get(i) * (i % 3 == 0 ? 3 : 1)),
            of("producer", "producer<<<2,64>>>(in:x=rand(2x6x32), y=zeros(2x6x32), 6)", "y", 1e-6,
                b -> i -> b.get("x").get(i / 32 * 32 + 31 - i % 32) + 1),
            of("half_atomics", "half_atomics<<<1,64>>>(in:x=full(64,0.25,f16), y=zeros(5,f16), z=zeros(3,bf16),"
                + " w=ones(2,u16))", "y", 0, _ -> i -> i == 4 ? 16 : i % 2 == 0 ? 8 : -8),
            of("half_atomics", "half_atomics<<<1,64>>>(in:x=full(64,0.25,f16), y=zeros(5,f16), z=zeros(3,bf16),"
                + " w=ones(2,u16))", "z", 0, _ -> i -> i == 0 ? 11 : 10.5),
            of("half_atomics", "half_atomics<<<1,64>>>(in:x=full(64,0.25,f16), y=zeros(5,f16), z=zeros(3,bf16),"
                + " w=ones(2,u16))", "w", 0, _ -> i -> i == 0 ? 1 : 193),
            of("vector_atomics", VECTOR_ATOMICS, "sums", 1e-5, b -> i -> IntStream.range(0, 96).filter(
                k -> k % 4 == i / 4).mapToDouble(k -> switch ((int) i % 4) {
                    case 0 -> b.get("x").get(k);
                    case 1 -> 2 * b.get("x").get(k);
                    case 2 -> 1;
                    default -> -b.get("x").get(k);
                }).sum()),
            of("vector_atomics", VECTOR_ATOMICS, "bins", 1e-5, b -> i -> IntStream.range(0, 96).filter(
                k -> (int) (b.get("x").get(k) * 8) == i / 2).mapToDouble(k -> i % 2 == 0 ? 1 : b.get("x").get(k))
                .sum()),
            of("block_votes", "block_votes<<<1,96>>>(in:x=rand(96,i32), y=zeros(96,i32))", "y", 0,
                b -> _ -> IntStream.range(0, 96).filter(k -> b.get("x").get(k) > 50).count() * 100 + 10));
    }

    static double sum(HostArray x, long from, long to) {
        double sum = 0;
        for (long i = from; i < to; i++) {
            sum += x.get(i);
        }
        return sum;
    }

    /** The functions of pointers.cu by their places in its table. */
    private static double pointed(int function, double a, double b) {
        return switch (function) {
            case 0 -> a + b;
            case 1 -> a * b;
            default -> Math.pow(a, Math.max(0, Math.ceil(b)));
        };
    }

    private static int fib(int n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }

    private static int frames(int n, int above) {
        return (n > 0 ? frames(n - 1, n * n) : 0) + n + above;
    }

    /** By its power series. */
    static double errorFunction(double x) {
        double sum = 0;
        double term = x;
        for (int n = 0; n < 40; n++) {
            sum += term / (2 * n + 1);
            term *= -x * x / (n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * sum;
    }

    @ParameterizedTest
    @MethodSource("programs")
    void givesWhatTheHostComputes(Case program) throws IOException {
        check(program);
    }

    static void check(Case program) throws IOException {
        try (Session session = session(program.program())) {
            for (String launch : program.launches().split(";")) {
                session.run(LaunchParser.parse(launch));
            }
            var before = new java.util.HashMap<String, HostArray>();
            session.arrays().forEach((name, bound) -> before.put(name, bound.before()));
            LongToDoubleFunction expected = program.expected().of(before);
            HostArray now = session.arrays().get(program.array()).now();
            for (long i = 0; i < now.count(); i++) {
                double e = expected.applyAsDouble(i);
                assertThat(now.get(i)).as("element %d", i).isCloseTo(e,
                        within(program.tolerance() * Math.max(1, Math.abs(e))));
            }
        }
    }

    @Test
    void printfComesInTheOrderOfTheBlocks() throws IOException {
        var text = new StringBuilder();
        try (Session session = session("print")) {
            session.executor().printer(text::append);
            session.run(LaunchParser.parse("print<<<2,32>>>(9)"));
        }
        assertThat(text.toString().lines()).containsExactly(
                "block 0 thread  0 of 9: 0.00    ab|7   |ff 1099511627776 z%",
                "block 0 thread  1 of 9: 1.50    ab|7   |ff 1099511627776 z%",
                "block 1 thread  0 of 9: 0.00    ab|7   |ff 1099511627776 z%",
                "block 1 thread  1 of 9: 1.50    ab|7   |ff 1099511627776 z%");
    }

    @Test
    void anAssertionThatFailsIsNamed() throws IOException {
        try (Session session = session("asserts")) {
            session.run(LaunchParser.parse("asserts<<<1,32>>>(in:x=ones(32,i32))"));
            assertThatThrownBy(() -> session.run(LaunchParser.parse("asserts<<<1,32>>>(in:y=full(32,50,i32))")))
                    .isInstanceOf(LabException.class)
                    .hasMessageContaining("ASSERTION").hasMessageContaining("x[threadIdx.x] < 50")
                    .hasMessageContaining("asserts.cu:2");
        }
    }

    @Test
    void recursionWithoutEndIsStopped() {
        String ptx = """
                .version 7.8
                .target sm_80
                .address_size 64
                .func deep(.param .b32 deep_p)
                {
                    { .param .b32 param0;
                    call.uni deep, (param0); }
                    ret;
                }
                .visible .entry k()
                {
                    { .param .b32 param0;
                    call.uni deep, (param0); }
                    ret;
                }
                """;
        try (Session session = new Session(LabProgram.of(Path.of("k.ptx"), ptx, "k.ptx"), EmulatorOptions.defaults(),
                0, 60)) {
            assertThatThrownBy(() -> session.run(LaunchParser.parse("k<<<1,1>>>()")))
                    .hasMessageContaining("STACK_OVERFLOW");
        }
    }

    @Test
    void aCallOfNoFunctionIsAFault() {
        String ptx = """
                .version 7.8
                .target sm_80
                .address_size 64
                .func (.param .b32 r) one(.param .b32 p) { ret; }
                .func two(.param .b64 p) { ret; }
                .visible .entry k(.param .u64 k_param_0)
                {
                    .reg .b64 %rd<3>;
                    mov.u64 %rd1, one;
                    mov.u64 %rd1, two;
                    ld.param.u64 %rd2, [k_param_0];
                    add.s64 %rd1, %rd1, %rd2;
                    { .param .b64 param0;
                    prototype : .callprototype _ (.param .b64 _);
                    call %rd1, (param0), prototype; }
                    ret;
                }
                """;
        LabProgram program = LabProgram.of(Path.of("k.ptx"), ptx, "k.ptx");
        try (Session session = new Session(program, EmulatorOptions.defaults(), 0, 60)) {
            session.run(LaunchParser.parse("k<<<1,32>>>(0)"));
            for (int off : new int[] {-16, 16, 1}) {
                assertThatThrownBy(() -> session.run(LaunchParser.parse("k<<<1,32>>>(" + off + ")")))
                        .hasMessageContaining("PTX line 15 `call %rd1, (param0), prototype; }`")
                        .hasMessageContaining("where no function with such parameters is");
            }
        }
    }

    @Test
    void whatIsNotSupportedIsNamedWithItsLine() {
        String ptx = """
                .version 7.8
                .target sm_80
                .address_size 64
                .visible .entry k()
                {
                    .reg .b32 %r<3>;
                    .reg .b64 %rd<3>;
                    BODY
                    ret;
                }
                """;
        String[][] cases = {
            {"tex.2d.v4.f32.f32 {%r1,%r1,%r1,%r1}, [%rd1, {%r2, %r2}];", "tex.2d"},
            {"call.uni missing;", "the function missing is not in this text"},
            {"wgmma.fence.sync.aligned;", "wgmma"},
            {"bar.arrive 0;", "the number of threads is missing"},
            {"mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r1,%r1}, {%r1}, {%r1}, {%r1,%r1};", "m8n8k4"},
        };
        for (String[] one : cases) {
            LabProgram program = LabProgram.of(Path.of("k.ptx"), ptx.replace("BODY", one[0]), "k.ptx");
            assertThatThrownBy(() -> program.translated(program.kernel("k"))).as(one[0]).isInstanceOf(LabException.class).hasMessageContaining("k.ptx:8:")
                    .hasMessageContaining(one[1]);
        }
    }
}
