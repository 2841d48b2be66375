package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is stored of PTX that is like another's gives it back. */
class PtxTwinTest {
    private static final String BF16 = "// k_bf16\nmma.bf16 a;\ncvt.bf16x2 b;\nret;\n";
    private static final String F16 = "// k_f16\nmma.f16 a;\ncvt.bf16x2 b;\nret;\n";

    @Test
    void storesTheLinesThatAreItsOwn() {
        String stored = PtxTwin.stored(F16, "k_bf16", BF16);
        assertThat(stored).isEqualTo("// like k_bf16\n2 cvt.bf16x2 b;\n");
        assertThat(PtxTwin.restored(stored, Map.of("k_bf16", BF16)::get)).isEqualTo(F16);
    }

    @Test
    void whatIsOfAnotherLengthStandsAlone() {
        String longer = F16 + "ret;\n";
        assertThat(PtxTwin.stored(longer, "k_bf16", BF16)).isEqualTo(longer);
        assertThat(PtxTwin.restored(longer, file -> {
            throw new AssertionError(file + " was asked for");
        })).isEqualTo(longer);
    }

    /** Of another build: the table of lines, which knows a hash of the right text, is what refuses it. */
    @Test
    void aShorterTwinGivesOtherText() {
        assertThat(PtxTwin.restored("// like k_bf16\n7 ret;\n", Map.of("k_bf16", BF16)::get)).isNotEqualTo(F16);
    }

    @Test
    void filesForBfloat16AreTheTwinsOfThoseForFloat16() {
        assertThat(PtxTwin.of("linear/linear_f16")).isEqualTo("linear/linear_bf16");
        assertThat(PtxTwin.of("linear/linear_f16_sm90")).isEqualTo("linear/linear_bf16_sm90");
        assertThat(PtxTwin.of("linear/linear_bf16")).isNull();
        assertThat(PtxTwin.of("attention/attention")).isNull();
    }

    /** Most of what float16's kernels would take is saved. */
    @Test
    void linearLayersAreStoredSo() {
        assertThat(List.of("linear/linear_f16", "linear/linear_blocks_f16", "linear/linear_nf4_f16",
                "linear/linear_f16_sm90")).allSatisfy(file -> {
            String ptx = KernelSource.BUILT_IN.ptx(file);
            String twin = PtxTwin.of(file);
            assertThat(PtxTwin.stored(ptx, twin, KernelSource.BUILT_IN.ptx(twin)).length()).isLessThan(ptx.length()
                    / 20);
        });
    }
}
