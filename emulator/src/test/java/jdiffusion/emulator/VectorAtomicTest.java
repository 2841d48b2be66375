package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Atomics of vectors in global memory, by numbers that are exact in every order. */
class VectorAtomicTest {
    private static final String ADDRESS = """
            and.b32 %r11, %r10, 3; shl.b32 %r11, %r11, 4; cvt.u64.u32 %rd1, %r11; add.s64 %rd2, %rd10, %rd1;
            """;

    static Stream<String> instructions() {
        return Stream.of("add f32 2", "add f32 4", "add.noftz f16 2", "add.noftz f16 4", "add.noftz f16 8",
                "add.noftz bf16 2", "add.noftz bf16 4", "add.noftz bf16 8", "add.noftz f16x2 2", "add.noftz f16x2 4",
                "add.noftz bf16x2 2", "add.noftz bf16x2 4", "min.noftz f16 8", "max.noftz f16 4", "min.noftz bf16 2",
                "max.noftz bf16 8", "min.noftz f16x2 4", "max.noftz f16x2 2", "min.noftz bf16x2 2",
                "max.noftz bf16x2 4");
    }

    private static float value(int bits, String type) {
        return type.equals("f32") ? Float.intBitsToFloat(bits)
                : type.startsWith("bf16") ? Float.intBitsToFloat(bits << 16) : Float.float16ToFloat((short) bits);
    }

    private static float get(MemorySegment from, int bytes, int index, String type) {
        return value(bytes == 4 ? from.get(ValueLayout.JAVA_INT, 4L * index)
                : from.get(ValueLayout.JAVA_SHORT, 2L * index), type);
    }

    /** Lane l combines l / 4 - 3, twice that and so on with vector l mod 4. */
    @ParameterizedTest
    @MethodSource("instructions")
    void eachNumberOfAVector(String name) {
        String[] words = name.split(" ");
        String type = words[1];
        int registers = Integer.parseInt(words[2]);
        int bytes = type.equals("f32") ? 4 : 2;
        int count = type.endsWith("x2") ? 2 * registers : registers;
        boolean sums = words[0].startsWith("add");
        for (String space : new String[] {".global", ""}) {
            for (boolean kept : new boolean[] {true, false}) {
                String kind = type.equals("f32") ? "%f" : type.endsWith("x2") ? "%r" : "%x";
                String list = "{" + String.join(", ", IntStream.range(0, registers).mapToObj(i -> kind + (20 + i))
                        .toList()) + "}";
                var body = new StringBuilder(ADDRESS
                        + "shr.u32 %r12, %r10, 2; sub.s32 %r12, %r12, 3; cvt.rn.f32.s32 %f1, %r12;");
                for (int i = 0; i < registers; i++) {
                    body.append("mul.f32 %f2, %f1, 0f" + Integer.toHexString(Float.floatToIntBits(i + 1)) + ";");
                    String convert = switch (kind) {
                        case "%f" -> "mov.f32 %%f%d, %%f2;";
                        case "%r" -> "neg.f32 %%f3, %%f2; cvt.rn." + type + ".f32 %%r%d, %%f3, %%f2;";
                        default -> "cvt.rn." + type + ".f32 %%x%d, %%f2;";
                    };
                    body.append(convert.formatted(20 + i)).append('\n');
                }
                body.append(kept ? "atom" : "red").append(".relaxed.gpu").append(space).append('.').append(words[0])
                        .append(".v").append(registers).append('.').append(type).append(kept ? " " + list + "," : "")
                        .append(" [%rd2], ").append(list).append(";\n");
                if (kept) {
                    body.append("mul.wide.u32 %rd3, %r10, 16; add.s64 %rd4, %rd11, %rd3;");
                    for (int i = 0; i < registers; i++) {
                        int size = kind.equals("%x") ? 2 : 4;
                        body.append("st.global.b%d [%%rd4+%d], %s%d;".formatted(8 * size, size * i, kind, 20 + i));
                    }
                }
                PtxProgram program = Bench.hopper(".reg .b16 %x<32>;", body.toString());
                try (Bench bench = new Bench(EmulatorOptions.defaults().withThreads(1))) {
                    MemorySegment out = bench.allocate(64);
                    MemorySegment old = bench.allocate(32 * 16);
                    bench.launch(program, "k", 1, 32, 0, out, old);
                    float[] expected = new float[4 * 8];
                    for (int lane = 0; lane < 32; lane++) {
                        for (int i = 0; i < count; i++) {
                            int factor = type.endsWith("x2") ? (i / 2 + 1) * (i % 2 == 0 ? 1 : -1) : i + 1;
                            int at = lane % 4 * 8 + i;
                            float v = (lane / 4 - 3) * factor;
                            if (kept) {
                                assertThat(get(old, bytes, lane * 16 / bytes + i, type)).as("lane %d", lane)
                                        .isEqualTo(expected[at]);
                            }
                            expected[at] = sums ? expected[at] + v : words[0].startsWith("min")
                                    ? Math.min(expected[at], v) : Math.max(expected[at], v);
                        }
                    }
                    for (int i = 0; i < 4 * count; i++) {
                        assertThat(get(out, bytes, i / count * 16 / bytes + i % count, type)).as("number %d", i)
                                .isEqualTo(expected[i / count * 8 + i % count]);
                    }
                }
            }
        }
    }

    private static DeviceFault fault(String body) {
        PtxProgram program = Bench.hopper(Faults.SHARED, body);
        try (Bench bench = new Bench(Faults.checked().withThreads(1))) {
            MemorySegment memory = bench.allocate(64);
            return catchThrowableOfType(DeviceFault.class,
                    () -> bench.launch(program, "k", 1, 32, 0, memory, memory));
        }
    }

    @Test
    void whereVectorsMayLie() {
        String red = "red.global.add.v4.f32 [%rd2";
        Faults.assertFault(fault(ADDRESS + red + "+8], {%f1, %f1, %f1, %f1};"), Kind.MISALIGNED, red, 0, 0);
        Faults.assertFault(fault(ADDRESS + red + "+16], {%f1, %f1, %f1, %f1};"), Kind.OUT_OF_BOUNDS, red, 0, 3);
        DeviceFault shared = fault("""
                mov.u64 %rd1, s; cvta.shared.u64 %rd2, %rd1;
                atom.add.v2.f32 {%f1, %f2}, [%rd2], {%f1, %f2};
                """);
        Faults.assertFault(shared, Kind.OUT_OF_BOUNDS, "atom.add.v2.f32", 0, 0);
        assertThat(shared).hasMessageContaining("an atomic of a vector in shared memory");
    }

    @Test
    void sectors() {
        PtxProgram program = Bench.hopper("", """
                mul.wide.u32 %rd1, %r10, 16; add.s64 %rd2, %rd10, %rd1;
                red.global.add.v4.f32 [%rd2], {%f1, %f1, %f1, %f1};
                mul.wide.u32 %rd1, %r10, 64; add.s64 %rd2, %rd10, %rd1;
                atom.global.add.v2.f32 {%f1, %f2}, [%rd2], {%f1, %f2};
                """);
        try (Bench bench = new Bench(EmulatorOptions.defaults().withProfile(true))) {
            MemorySegment memory = bench.allocate(2048);
            bench.launch(program, "k", 1, 32, 0, memory, memory);
            var lines = bench.executor().counters().get("k").lines().values();
            var whole = lines.stream().filter(l -> l.text.startsWith("red")).findFirst().orElseThrow().traffic;
            assertThat(whole.globalSectors).isEqualTo(16);
            assertThat(whole.globalIdealSectors).isEqualTo(16);
            assertThat(whole.globalBytesWritten).isEqualTo(512);
            var apart = lines.stream().filter(l -> l.text.startsWith("atom")).findFirst().orElseThrow().traffic;
            assertThat(apart.globalSectors).isEqualTo(32);
            assertThat(apart.globalIdealSectors).isEqualTo(8);
        }
    }

    @Test
    void vectorsThatDoNotExist() {
        String[][] cases = {
            {"red.shared.add.v2.f32 [%r1], {%f1, %f2};", "for global memory alone"},
            {"red.global.min.v2.f32 [%rd1], {%f1, %f2};", "atomics of vectors are add of v2 and v4 of f32"},
            {"red.global.add.v8.f32 [%rd1], {%f1, %f1, %f1, %f1, %f1, %f1, %f1, %f1};", "atomics of vectors are"},
            {"red.global.add.v2.u32 [%rd1], {%r1, %r2};", "atomics of vectors are"},
            {"red.global.add.v2.f32 [%rd1], {%f1, %f2, %f3};", "a vector of 2 registers is expected, and there are 3"},
        };
        for (String[] one : cases) {
            assertThatThrownBy(() -> Bench.hopper("", one[0])).hasMessageContaining(one[1])
                    .hasMessageContaining(one[0]);
        }
        assertThatThrownBy(() -> Bench.kernel("", "red.global.add.v2.f32 [%rd1], {%f1, %f2};"))
                .hasMessageContaining("needs .target sm_90");
    }
}
