package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.cuda.LineTable.Place;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Line tables say of PTX which lines of the sources it is of. */
class LineTableTest {
    private static final Path ROOT = Path.of("src/main/java/jdiffusion/kernels");
    private static final List<String> SOURCES = List.of("k/k.cu", "k/k.cuh", "cuda/device.cuh");

    /** Two calls of one function, one of them from another header; a function of a toolkit; an instruction of nothing. */
    private static final String WITH_LINES = """
            .version 7.8
            .target sm_80
            \t.file\t1 "/tmp/x/k/k.cu"
            .entry k(
            \t.param .u32 n
            )
            {
            \t.loc\t1 10 0
            $L__func_begin0:
            \t.loc\t1 10 0
            \tmov.u32 \t%r1, 0;
            \t.loc\t1 11 5
            \t.loc\t2 3 9, function_name $L__info_string0, inlined_at 1 11 5
            \tadd.s32 \t%r1, %r1, 1;

            \t.loc\t3 7 1, function_name $L__info_string1, inlined_at 2 3 9
            \tadd.s32 \t%r1, %r1, 2;
            \t.loc\t1 12 5
            $L__tmp1:
            \t.loc\t3 7 1, function_name $L__info_string1, inlined_at 1 12 5
            \tadd.s32 \t%r1, %r1, 3;
            $L__BB0_1:
            \t.loc\t4 99 5, function_name $L__info_string2, inlined_at 3 7 1
            \tadd.s32 \t%r1, %r1, 4;
            \tadd.s32 \t%r1, %r1, 5;
            \t.loc\t1 0 5
            \tadd.s32 \t%r1, %r1, 6;
            \tret;
            $L__func_end0:
            }
            \t.file\t2 "/tmp/x/k/../k/k.cuh"
            \t.file\t3 "device.cuh"
            \t.file\t4 "/usr/include/shuffle.hpp"
            \t.section\t.debug_str
            {
            $L__info_string0:
            .b8 95,90
            \t}
            """;
    private static final String PTX = """
            // remarks
            .version 7.8
            .target sm_80

            .entry k(
            \t.param .u32 n
            )
            {
            \tmov.u32 \t%r1, 0;
            \tadd.s32 \t%r1, %r1, 1;
            \tadd.s32 \t%r1, %r1, 2;
            \tadd.s32 \t%r1, %r1, 3;
            $L__BB0_1:
            \tadd.s32 \t%r1, %r1, 4;

            \tadd.s32 \t%r1, %r1, 5;
            \tadd.s32 \t%r1, %r1, 6;
            \tret;
            }
            """;

    private static List<Place> places(Object... filesAndLines) {
        return IntStream.range(0, filesAndLines.length / 2)
                .mapToObj(i -> new Place((String) filesAndLines[2 * i], (int) filesAndLines[2 * i + 1])).toList();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void followsWhatWasInlined(boolean packed) throws IOException {
        LineTable made = LineTable.of(WITH_LINES, PTX, SOURCES);
        LineTable table = packed ? LineTable.unpack(made.pack()) : made;
        assertThat(table.hash()).isEqualTo(Ptx.sha256(PTX)).hasSize(64);
        assertThat(table.at(5)).isEmpty();
        assertThat(table.at(9)).isEqualTo(places("k/k.cu", 10));
        assertThat(table.at(10)).isEqualTo(places("k/k.cuh", 3, "k/k.cu", 11));
        assertThat(table.at(11)).isEqualTo(places("cuda/device.cuh", 7, "k/k.cuh", 3, "k/k.cu", 11));
        assertThat(table.at(12)).isEqualTo(places("cuda/device.cuh", 7, "k/k.cu", 12));
        // What is of a toolkit is of the line that uses it.
        assertThat(table.at(14)).isEqualTo(places("cuda/device.cuh", 7, "k/k.cu", 12)).isEqualTo(table.at(16));
        assertThat(table.at(17)).isEmpty();
        assertThat(table.at(18)).isEmpty();
    }

    @Test
    void otherInstructionsAreNoticed() {
        assertThatThrownBy(() -> LineTable.of(WITH_LINES, PTX.replace("%r1, 5;", "%r2, 5;"), SOURCES))
                .isInstanceOf(DeviceException.class).hasMessageContainingAll("line 16", "%r2, 5", "%r1, 5");
        assertThatThrownBy(() -> LineTable.of(WITH_LINES, PTX + "\tret;\n", SOURCES))
                .isInstanceOf(DeviceException.class).hasMessageContaining("ends before line 20 `ret;`");
        assertThatThrownBy(() -> LineTable.of(WITH_LINES, PTX.substring(0, PTX.indexOf("\tret;")), SOURCES))
                .isInstanceOf(DeviceException.class).hasMessageContaining("`` without it and `ret;` with it");
    }

    @Test
    void withoutLinesItIsThePtx() {
        assertThat(LineTable.without(WITH_LINES).lines()).containsExactlyElementsOf(PTX.lines()
                .filter(line -> !line.isEmpty() && !line.startsWith("//")).toList());
    }

    /** A table in the tree is of the PTX in the tree, and its places are in the sources. */
    @TestFactory
    Stream<DynamicTest> isOfThePtx() throws IOException {
        return CompileKernels.files(ROOT).stream().map(file -> DynamicTest.dynamicTest(file, () -> {
            String ptx = KernelSource.BUILT_IN.ptx(file);
            // Fails with a message where the hash is another one.
            LineTable table = KernelSource.BUILT_IN.lines(file).orElseThrow();
            List<String> lines = ptx.lines().toList();
            CuSource source = CuSource.read(file, CuSource.folder(ROOT));
            Map<String, Long> sizes = source.texts().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
                    text -> text.getValue().lines().count()));
            int instructions = 0;
            int known = 0;
            for (int i = 0; i < lines.size(); i++) {
                List<Place> places = table.at(i + 1);
                for (Place place : places) {
                    assertThat((long) place.line()).isBetween(1L, sizes.get(place.file()));
                }
                if (lines.get(i).endsWith(";") && !lines.get(i).startsWith("\t.")) {
                    instructions++;
                    known += places.isEmpty() ? 0 : 1;
                }
            }
            assertThat(known).as("instructions of %d with a place", instructions).isGreaterThan(instructions * 3 / 4);
        }));
    }

    /** A barrier is where the source has one. */
    @ParameterizedTest
    @ValueSource(strings = {"attention/attention", "linear/linear_bf16", "groupnorm/groupnorm"})
    void barriersAreWhereTheSourceHasThem(String file) {
        LineTable table = KernelSource.BUILT_IN.lines(file).orElseThrow();
        List<String> lines = KernelSource.BUILT_IN.ptx(file).lines().toList();
        List<Integer> barriers = IntStream.range(0, lines.size()).filter(i -> lines.get(i).contains("bar.sync")).boxed()
                .toList();
        assertThat(barriers).isNotEmpty().allSatisfy(i -> {
            Place place = table.at(i + 1).getFirst();
            assertThat(KernelSource.BUILT_IN.text(place.file()).lines().toList().get(place.line() - 1))
                    .contains("__syncthreads");
        });
    }

    /** Where the compiler that made it is here, it makes the same again. */
    @Tag("generated")
    @ParameterizedTest
    @ValueSource(strings = {"rope/rope", "conv2d/conv2d", "attention/attention_sm90"})
    void isWhatTheCompilerMakes(String file) throws IOException {
        Nvcc nvcc = PtxTest.working();
        String ptx = KernelSource.BUILT_IN.ptx(file);
        Assumptions.assumeTrue(nvcc != null && ptx.contains("// compiler: " + nvcc.version() + "\n"),
                "no nvcc of the version that made the PTX");
        CuSource source = CuSource.read(file, CuSource.folder(ROOT));
        LineTable made = LineTable.of(nvcc.compile(source, true), ptx, source.texts().keySet());
        assertThat(Ptx.bytes(made.pack()))
                .isEqualTo(Ptx.bytes(KernelSource.BUILT_IN.lines(file).orElseThrow().pack()));
    }
}
