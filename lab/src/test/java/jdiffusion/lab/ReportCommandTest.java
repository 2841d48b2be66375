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

/** {@code kernel report} as a user types it. */
class ReportCommandTest {
    @TempDir
    private Path folder;
    private String err;

    private int run(Path program, String launch, Path page) {
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(new StringWriter()), new PrintWriter(errors, true), "report",
                program.toString(), "--launch", launch, "-o", page.toString());
        err = errors.toString();
        return code;
    }

    private static JsonNode data(Path page) throws IOException {
        String text = Files.readString(page);
        int from = text.indexOf("const data = ") + "const data = ".length();
        return new ObjectMapper().readTree(text.substring(from, text.indexOf(";\n", from)));
    }

    /** A program's source and PTX. */
    private Path program(String name) throws IOException {
        try (var in = ReportCommandTest.class.getResourceAsStream("/programs/" + name + ".cu")) {
            Files.copy(in, folder.resolve(name + ".cu"));
        }
        return Programs.copy("programs", name, folder);
    }

    @Test
    void linesOfTheSourceHaveTheCostOfTheirPtx() throws IOException {
        Path program = program("barrier");
        String ptx = Files.readString(program).replaceAll("\\.file\\s+1\\s+\"[^\"]*\"", ".file\t1 \""
                + folder.resolve("barrier.cu") + "\"");
        Files.writeString(program, ptx);
        Path page = folder.resolve("report.html");
        assertThat(run(program, "barrier<<<1,64>>>(zeros(64, i32), 2)", page)).as(err).isZero();
        JsonNode data = data(page);
        JsonNode file = data.get("files").get(0);
        assertThat(file.get("name").asText()).endsWith("barrier.cu");
        assertThat(file.get("text").size()).isGreaterThan(5);
        JsonNode kernel = data.get("kernels").get(0);
        long all = 0;
        long ofSource = 0;
        for (JsonNode line : kernel.get("lines")) {
            all += line.get("warps").asLong();
            int chain = line.get("chain").asInt();
            ofSource += chain >= 0 ? line.get("warps").asLong() : 0;
            if (line.get("text").asText().startsWith("bar.sync")) {
                int at = data.get("chains").get(chain).get(0).get(1).asInt();
                assertThat(file.get("text").get(at - 1).asText()).contains("__syncthreads");
            }
        }
        assertThat(all).isEqualTo(kernel.at("/metrics/instructions").asLong()).isPositive();
        assertThat(ofSource).isGreaterThan(all / 2);
        assertThat(Files.readString(page)).doesNotContain("https://", "src=");
    }

    /** Lanes read a column of a tile of 32 rows of 32 words. */
    private static final String COLUMN = """
            .version 7.8
            .target sm_80
            .address_size 64
            .visible .entry column(.param .u64 p)
            {
                .reg .pred %p<2>;
                .reg .b32 %r<9>;
                .reg .b64 %rd<4>;
                .shared .align 4 .b8 _ZZ6columnE4tile[4096];
                mov.u32 %r1, %tid.x;
                shl.b32 %r2, %r1, 2;
                mov.u32 %r3, _ZZ6columnE4tile;
                add.s32 %r4, %r3, %r2;
                mov.u32 %r5, 0;
            ROW:
                st.shared.u32 [%r4], %r5;
                add.s32 %r4, %r4, 128;
                add.s32 %r5, %r5, 1;
                setp.lt.s32 %p1, %r5, 32;
                @%p1 bra ROW;
                bar.sync 0;
                shl.b32 %r6, %r1, 7;
                add.s32 %r6, %r3, %r6;
                ld.shared.u32 %r7, [%r6];
                setp.gt.s32 %p1, %r7, 7;
                @%p1 bra DONE;
                ld.param.u64 %rd1, [p];
                mul.wide.u32 %rd2, %r1, 4;
                add.s64 %rd3, %rd1, %rd2;
                st.global.u32 [%rd3], %r7;
            DONE:
                ret;
            }
            """;

    @Test
    void theWorstRequestToSharedMemoryHasAPaddingAndASwizzle() throws IOException {
        Path page = folder.resolve("report.html");
        assertThat(run(Files.writeString(folder.resolve("column.ptx"), COLUMN), "column<<<2,32>>>(zeros(32, i32))",
                page)).as(err).isZero();
        JsonNode kernel = data(page).get("kernels").get(0);
        JsonNode worst = kernel.get("worst");
        assertThat(worst.get("array").asText()).isEqualTo("tile");
        assertThat(worst.get("conflicts").asInt()).isEqualTo(2 * 31);
        assertThat(worst.at("/now/words/5").asInt()).isEqualTo(160);
        assertThat(worst.at("/remedies/0/text").asText()).contains("tile[rows][32 + 1]");
        assertThat(worst.at("/remedies/0/words/5").asInt()).isEqualTo(165);
        assertThat(worst.at("/remedies/1/text").asText()).contains("c ^ (r & 31)");
        for (JsonNode remedy : worst.get("remedies")) {
            assertThat(remedy.get("conflicts").asInt()).isZero();
            assertThat(remedy.get("others").asInt()).isZero();
        }
        assertThat(kernel.at("/metrics/divergent").asInt()).isEqualTo(2);
        for (JsonNode line : kernel.get("lines")) {
            if (line.get("text").asText().startsWith("st.global")) {
                assertThat(line.get("lanes").asInt()).isEqualTo(16);
            }
            assertThat(line.path("openings").asInt()).isEqualTo(line.get("text").asText().startsWith("bar") ? 2 : 0);
        }
    }

    /** A lock that nobody gives back. */
    @Test
    void whatNeverEndsIsEnded() throws IOException {
        Path program = Files.writeString(folder.resolve("spin.ptx"), """
                .version 7.8
                .target sm_80
                .address_size 64
                .visible .entry spin(.param .u64 p)
                {
                    .reg .pred %p<2>;
                    .reg .b32 %r<3>;
                    .reg .b64 %rd<2>;
                    ld.param.u64 %rd1, [p];
                wait:
                    ld.volatile.global.u32 %r1, [%rd1];
                    setp.eq.u32 %p1, %r1, 0;
                    @%p1 bra wait;
                    ret;
                }
                """);
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(new StringWriter()), new PrintWriter(errors, true), "run",
                program.toString(), "--launch", "spin<<<1,32>>>(zeros(1))", "--time-limit", "1");
        assertThat(code).isEqualTo(1);
        assertThat(errors.toString()).contains("was not done after 1 s", "--time-limit");
    }

    @Test
    void aFaultIsOnThePageAndAnError() throws IOException {
        Path program = Programs.copy("programs", "saxpy", folder);
        Path page = folder.resolve("report.html");
        assertThat(run(program, "saxpy<<<8,256>>>(2000, 2.0, ones(1000), zeros(1000))", page)).isEqualTo(1);
        assertThat(data(page).get("fault").asText()).contains("saxpy").isEqualTo(err.strip().replace("kernel: ", ""));
        assertThat(run(program, "saxpy<<<8,256>>>(1000, 2.0, ones(1000), zeros(1000))",
                folder.resolve("none/report.html"))).isEqualTo(2);
        assertThat(err).contains("report.html: cannot be written");
        assertThat(Files.list(folder)).noneMatch(file -> file.toString().endsWith(".part"));
    }
}
