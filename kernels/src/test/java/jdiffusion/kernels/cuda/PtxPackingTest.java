package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Packed PTX is shorter, and comes back as it was. */
class PtxPackingTest {
    /** Twice the same code with other registers. */
    private static final String TWICE = """
            .visible .entry a(
            )
            {
            \t.reg .b32 %r<9>;
            \tadd.s32 \t%r3, %r1, %r2;
            \tst.global.u32 \t[%rd1+16], %r3;
            \tmov.u32 \t%r4, %tid.x;
            \tadd.s32 \t%r6, %r4, %r5;
            \tst.global.u32 \t[%rd1+16], %r6;
            \tmov.u32 \t%r7, %tid.x;
            \tadd.s32 \t%r9, %r7, %r8;
            \tst.global.u32 \t[%rd1+16], %r9;
            \tmov.u32 \t%r10, %tid.x;
            }
            """;

    private static Iterable<String> files() throws IOException {
        return CompileKernels.files(Path.of("src/main/java/jdiffusion/kernels"));
    }

    @ParameterizedTest
    @MethodSource("files")
    void allKernelsComeBack(String file) throws IOException {
        String ptx = KernelSource.BUILT_IN.ptx(file);
        byte[] compressed = Ptx.compressed(ptx);
        assertThat(Ptx.text(compressed)).isEqualTo(ptx);
        Deflater plain = new Deflater(Deflater.BEST_COMPRESSION);
        plain.setInput(ptx.getBytes(StandardCharsets.UTF_8));
        plain.finish();
        assertThat(compressed).hasSizeLessThan(plain.deflate(new byte[ptx.length()]));
        plain.end();
    }

    @Test
    void theSameCodeIsStoredOnce() {
        String packed = PtxPacking.pack(TWICE);
        assertThat(packed.lines()).filteredOn(line -> line.startsWith("\tst.global")).hasSizeLessThan(3);
        assertThat(packed.lines()).anyMatch(line -> line.startsWith("^"));
        assertThat(packed).contains(".reg .b32 %r<9>;", "%tid.x");
        assertThat(PtxPacking.unpack(packed)).isEqualTo(TWICE);
        assertThat(PtxPacking.unpack(TWICE)).as("not packed").isEqualTo(TWICE);
        assertThatThrownBy(() -> PtxPacking.pack(packed)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "one line", "^1,2", "a\n^1,1\na", "%r007 %r1", "%tid+4, %r2", "%r-3 %r2",
        "%r99999999999", "%r+99999999999 %r1", "a\r\nb\r\n", "{\n%r5\n{\n%r5\n}", "%r999999999 %r0 %r999999999",
        "\\1 $1 %p1"})
    void anyTextComesBack(String text) throws IOException {
        assertThat(Ptx.text(Ptx.compressed(text))).isEqualTo(text);
    }
}
