package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kernel diff} and {@code kernel occupancy} as a user types them. */
class DiffCommandTest {
    private static final String LAUNCH = "copy<<<4,(32,8)>>>(in:x=rand(1024), inout:y=zeros(1024))";
    /** y[i] = x[i], by rows of threads; the other one goes through shared memory, where a column of 32 is one bank. */
    private static final String PLAIN = """
            .version 7.8
            .target sm_80
            .address_size 64
            .visible .entry copy(.param .u64 px, .param .u64 py)
            {
                .reg .b32 %r<9>;
                .reg .b64 %rd<7>;
                .shared .align 4 .b8 tile[4096];
                mov.u32 %r1, %ctaid.x;
                mov.u32 %r2, %tid.y;
                mov.u32 %r3, %tid.x;
                shl.b32 %r4, %r1, 8;
                mad.lo.u32 %r4, %r2, 32, %r4;
                add.u32 %r4, %r4, %r3;
                mul.wide.u32 %rd1, %r4, 4;
                ld.param.u64 %rd2, [px];
                ld.param.u64 %rd3, [py];
                add.u64 %rd2, %rd2, %rd1;
                add.u64 %rd3, %rd3, %rd1;
                ld.global.u32 %r5, [%rd2];
                MIDDLE
                st.global.u32 [%rd3], %r5;
                ret;
            }
            """;
    private static final String CONFLICTED = """
            mad.lo.u32 %r6, %r3, 32, %r2;
                shl.b32 %r6, %r6, 2;
                mov.u32 %r7, tile;
                add.u32 %r7, %r7, %r6;
                st.shared.u32 [%r7], %r5;
                ld.shared.u32 %r5, [%r7];""";

    @TempDir
    private Path folder;
    private String out;
    private String err;

    private int run(String... args) {
        var written = new StringWriter();
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(written, true), new PrintWriter(errors, true), args);
        out = written.toString();
        err = errors.toString();
        return code;
    }

    private String file(String name, String middle) throws IOException {
        return Files.writeString(folder.resolve(name), PLAIN.replace("MIDDLE", middle)).toString();
    }

    @Test
    void conflictsThatAreNewFailABuild() throws IOException {
        String a = file("a.ptx", "");
        String b = file("b.ptx", CONFLICTED);
        assertThat(run("diff", a, b, "--launch", LAUNCH)).as(err).isZero();
        // A store and a load of each of 32 warps, 32 ways each: 31 more cycles.
        assertThat(out).contains("y: the same").containsPattern("conflicts +0 +1984 +new")
                .containsPattern("sectors +256 +256 +=");
        assertThat(run("diff", a, b, "--launch", LAUNCH, "--fail-if-more", "sectors,conflicts")).isEqualTo(1);
        assertThat(err).contains("copy has more conflicts: 1984, was 0").doesNotContain("sectors:");
        assertThat(run("diff", b, a, "--launch", LAUNCH, "--fail-if-more", "sectors,conflicts")).isZero();
        assertThat(run("diff", a, b, "--launch", LAUNCH, "--json")).isZero();
        JsonNode json = new ObjectMapper().readTree(out);
        assertThat(json.get("equal").asBoolean()).isTrue();
        assertThat(json.at("/kernels/0/counters/conflicts/1").asLong()).isEqualTo(1984);
    }

    @Test
    void otherResultsAreAnError() throws IOException {
        String a = file("a.ptx", "");
        String b = file("b.ptx", "add.u32 %r5, %r5, 1;");
        assertThat(run("diff", a, b, "--launch", LAUNCH)).isEqualTo(1);
        assertThat(err).contains("y differs in 1024 elements");
        assertThat(run("diff", a, b, "--launch", LAUNCH, "--tolerance", "0.001")).isZero();
        assertThat(run("diff", a, b, "--launch", LAUNCH, "--fail-if-more", "heat")).isEqualTo(2);
        assertThat(err).contains("no counter 'heat'", "conflicts");
        assertThat(run("diff", a, folder.resolve("none.ptx").toString(), "--launch", LAUNCH)).isEqualTo(2);
        assertThat(run("diff", a, "--launch", LAUNCH)).isEqualTo(2);
    }

    @Test
    void occupancyFollowsTheScarcestResource() {
        assertThat(run("occupancy", "--block", "256", "--registers", "128")).isZero();
        assertThat(out.lines().filter(line -> line.startsWith("sm_80"))).singleElement().asString()
                .containsPattern("sm_80 +2 +16 +25 % +registers");
        assertThat(run("occupancy", "--block", "128", "--registers", "32", "--shared", "102400")).isZero();
        assertThat(out).containsPattern("sm_89 +0 +0 +0 % +does not fit: shared memory")
                .containsPattern("sm_90 +2 +8 +13 % +shared memory");
        assertThat(run("occupancy", "--block", "2000", "--registers", "32")).isEqualTo(2);
        assertThat(err).contains("--block is 2000; give 1 to 1024");
    }
}
