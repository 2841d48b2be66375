package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kernel run} as a user types it. */
class RunCommandTest {
    private static final String SAXPY = "saxpy<<<4,256>>>(%s, 2.0, in:x=range(1000), inout:y=ones(1000))";

    @TempDir
    private Path folder;
    private String ptx;
    private String out;
    private String err;

    @BeforeEach
    void copy() throws IOException {
        ptx = Programs.copy("programs", "saxpy", folder).toString();
    }

    private int run(String... args) {
        var written = new StringWriter();
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(written, true), new PrintWriter(errors, true), args);
        out = written.toString();
        err = errors.toString();
        return code;
    }

    private Path expected(double shift) {
        Path file = folder.resolve("e" + shift + ".npy");
        try (Arena arena = Arena.ofConfined()) {
            HostArray array = HostArray.zeros(DataType.F32, new long[]{1000}, arena);
            for (int i = 0; i < 1000; i++) {
                array.type().set(array.data(), i, 2.0 * i + 1 + (i == 17 ? shift : 0));
            }
            Npy.write(file, array);
        }
        return file;
    }

    @Test
    void resultsAreComparedAndSaved() {
        Path saved = folder.resolve("y.npy");
        assertThat(run("run", ptx, "--launch", SAXPY.formatted(1000), "--expect", expected(0).toString(),
                "--save", "y=" + saved)).isZero();
        assertThat(out).contains("y: as expected", "y: f32 1000: 1.00000 3.00000 5.00000");
        assertThat(run("run", ptx, "--launch", "saxpy<<<4,256>>>(1000, 0, in:x=range(1000), inout:" + saved + ")",
                "--expect", "y=" + expected(0))).isZero();
    }

    @Test
    void aWrongElementIsNamed() {
        assertThat(run("run", ptx, "--launch", SAXPY.formatted(1000), "--expect", expected(1).toString())).isOne();
        assertThat(err).contains("y: 1 of 1000 elements are wrong, the first at [17]: 35, expected 36");
    }

    @Test
    void anAccessBehindAnArrayIsAFaultThatNamesIt() {
        assertThat(run("run", ptx, "--launch", SAXPY.formatted(1001))).isOne();
        assertThat(err).contains("OUT_OF_BOUNDS", "block (3, 0, 0), thread 232", "after the end of the nearest array x")
                .hasLineCount(1);
    }

    @Test
    void aFaultNamesTheLinesOfTheSource() throws IOException {
        Path file = Files.writeString(folder.resolve("k.ptx"), """
                .version 7.8
                .target sm_80
                .address_size 64
                .visible .entry k()
                {
                    .reg .b32 %r<4>;
                    .shared .align 4 .b8 s[4];
                    .loc 1 3 5
                    mov.u32 %r1, %tid.x;
                    .loc 2 8 1, function_name a, inlined_at 1 4 9
                    st.shared.u32 [s], %r1;
                    .loc 1 5 5
                    ld.shared.u32 %r2, [s];
                    ret;
                }
                .file 1 "/somewhere/k.cu"
                .file 2 "/somewhere/k.cuh"
                """);
        assertThat(run("run", file.toString(), "--launch", "k<<<1,1>>>()")).isZero();
        assertThat(run("run", file.toString(), "--launch", "k<<<1,32>>>()")).isOne();
        assertThat(err).contains("SHARED_RACE in kernel k, PTX line 11", "; the line is of k.cuh:8, inlined at k.cu:4")
                .hasLineCount(1);
        Files.writeString(file, Files.readString(file).replace("st.shared", "setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared")
                .replace(".reg .b32", ".reg .pred %p<2>;\n.reg .b32"));
        assertThat(run("run", file.toString(), "--launch", "k<<<1,32>>>()")).isOne();
        assertThat(err).contains("; the line is of k.cu:5, the other one of k.cuh:8, inlined at k.cu:4");
    }

    @Test
    void launchesFollowEachOtherOnTheSameArrays() {
        assertThat(run("run", ptx, "--launch", SAXPY.formatted(1000), "--launch",
                "saxpy<<<(2,1,1),(512)>>>(1000, -2.0, x, y)")).isZero();
        assertThat(out).contains("y: f32 1000, unchanged: 1.00000 1.00000");
    }

    @Test
    void mistakesAreSaidInOneLine() {
        String[][] cases = {
            {"saxpy<<<4>>>(1)", "between <<< and >>> stand grid, block"},
            {"saxpy<<<4,256>>>(1)", "1 arguments; _Z5saxpyifPKfPf takes 4: u32, f32, u64, u64"},
            {"saxpy<<<4,2048>>>(1, 2, x=ones(1), y=ones(1))", "blocks of 2048 threads"},
            {"saxpy<<<0,1>>>(1, 2, x=ones(1), y=ones(1))", "'0' in '0' is no number from 1 on"},
            {"saxpy<<<1,1>>>(1.5, 2, x=ones(1), y=ones(1))", "1.5 is given where the kernel takes a whole number"},
            {"saxpy<<<1,1>>>(1, 2, 3, y=ones(1), z)", "5 arguments"},
            {"saxpy<<<1,1>>>(1, 2, x, y=ones(1))", "no array is named x"},
            {"saxpy<<<1,1>>>(1, 2, x=twos(1), y=ones(1))", "arrays are made by zeros(n)"},
            {"saxpy<<<1,1>>>(1, 2, x=ones(a), y=ones(1))", "'a' is no shape"},
            {"saxpy<<<1,1>>>(1, 2, missing.npy, y=ones(1))", "missing.npy: there is no such file"},
            {"saxpy<<<1,1>>>(1, 2, x=ones(1), in:y=ones(1))", "y is in:, but the kernel has written element 0"},
            {"nothing<<<1,1>>>()", "no kernel is named nothing; there are _Z5saxpyifPKfPf"},
        };
        for (String[] one : cases) {
            assertThat(run("run", ptx, "--launch", one[0])).as(one[0]).isNotZero();
            assertThat(err).as(one[0]).contains(one[1]).hasLineCount(1);
        }
        assertThat(run("run", "missing.ptx", "--launch", "a<<<1,1>>>()")).isEqualTo(2);
        assertThat(err).contains("missing.ptx: there is no such file");
        assertThat(run("run", ptx)).isEqualTo(2);
        assertThat(err).contains("--launch");
    }

    @Test
    void arraysBeyondAnyMemoryAreALine() throws IOException {
        for (String shape : new String[] {"(4294967296, 4294967296)", "(1000000000000000000,)"}) {
            String header = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n".formatted(shape);
            byte[] text = header.getBytes(StandardCharsets.ISO_8859_1);
            var file = ByteBuffer.allocate(10 + text.length).order(ByteOrder.LITTLE_ENDIAN)
                    .put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0}).putShort((short) text.length).put(text);
            Path large = Files.write(folder.resolve("large.npy"), file.array());
            assertThat(run("run", ptx, "--launch", "saxpy<<<1,32>>>(16, 2.0, in:" + large + ", zeros(16))")).isEqualTo(2);
            assertThat(err).contains("2 GiB can be used").doesNotContain("Exception");
        }
    }
}
