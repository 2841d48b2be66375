package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kernel step} with commands as a user types them. */
class StepCommandTest {
    private static final String TRANSPOSE = "transpose<<<(2,2),(32,8)>>>(in:x=range(64x64), y=zeros(64x64), 64)";
    private static final String SPLIT = """
            .version 7.8
            .target sm_80
            .address_size 64
            .visible .entry split(.param .u64 p)
            {
                .reg .pred %p<2>;
                .reg .b32 %r<4>;
                .reg .f32 %f<2>;
                .reg .b64 %rd<4>;
                mov.u32 %r1, %tid.x;
                setp.lt.u32 %p1, %r1, 40;
                @%p1 bra SMALL;
                mov.u32 %r2, 7;
                bra DONE;
            SMALL:
                mov.u32 %r2, 0x3f800000;
            DONE:
                mov.b32 %f1, %r2;
                ld.param.u64 %rd1, [p];
                mul.wide.u32 %rd2, %r1, 4;
                add.s64 %rd3, %rd1, %rd2;
                st.global.u32 [%rd3], %r2;
                ret;
            }
            """;

    @TempDir
    private Path folder;
    private String out;
    private String err;

    private int step(Path program, String launch, String commands) {
        var written = new StringWriter();
        var errors = new StringWriter();
        int code = KernelCommand.run(new PrintWriter(written, true), new PrintWriter(errors, true), "step",
                program.toString(), "--launch", launch, "--commands", commands);
        out = written.toString();
        err = errors.toString();
        return code;
    }

    private Path split() throws IOException {
        return Files.writeString(folder.resolve("split.ptx"), SPLIT);
    }

    private Path program(String name) throws IOException {
        try (var in = StepCommandTest.class.getResourceAsStream("/programs/" + name + ".cu")) {
            Files.copy(in, folder.resolve(name + ".cu"));
        }
        Path program = Programs.copy("programs", name, folder);
        return Files.writeString(program, Files.readString(program).replaceAll("\\.file\\s+1\\s+\"[^\"]*\"",
                ".file\t1 \"" + folder.resolve(name + ".cu") + "\""));
    }

    @Test
    void instructionsRegistersAndLanes() throws IOException {
        assertThat(step(split(), "split<<<1,64>>>(y=zeros(64, i32))", "step 2; warp 1; step 2; reg %p1; step; where;"
                + " break 20; continue; reg %r2; reg %r2 f32; regs 3; continue; mem y 38 4; quit")).as(err).isZero();
        assertThat(out).contains("@%p1 bra SMALL;", "block (0, 0, 0), warp 1, lanes 0-31", "[7] true", "[8] false",
                "lanes 8-31; elsewhere 0-7", "%r1 = 35", "[8] 7", "[0] 1.0",
                "  [38] 1065353216  [39] 1065353216  [40] 7");
        // Both ways meet at the breakpoint.
        assertThat(out.substring(out.indexOf("[7] true"))).contains("20  mul.wide.u32 %rd2, %r1, 4;");
    }

    @Test
    void linesOfTheSourceAndSharedMemory() throws IOException {
        assertThat(step(program("transpose"), TRANSPOSE, "next 2; break :7; continue; mem; mem tile 0 3; mem x 2 2 i32;"
                + " restart; delete; block 1,1; where; block 3; continue; mem y 64 2")).as(err).isZero();
        assertThat(out).contains("all launches are done", "tile: shared memory", "from the start",
                "block (1, 1, 0), warp 0",
                "[2] 1073741824  [3] 1077936128", "[64] 1.0   [65] 65.0");
    }

    /** A function's registers are its own, though the kernel's have the same names. */
    @Test
    void registersOfAFunction() throws IOException {
        Path program = Programs.copy("programs", "pointers", folder);
        String ptx = Files.readString(program);
        int line = (int) ptx.substring(0, ptx.indexOf("mul.f32", ptx.indexOf("_Z5timesff_param_1]"))).lines().count();
        assertThat(step(program, "pointers<<<1,9>>>(in:x=range(9), y=zeros(9), 0)", "break " + line
                + "; continue; reg %f1; reg %f2; regs 4; quit")).as(err).isZero();
        assertThat(out).contains("lanes 1,4,7; elsewhere 0,2-3,5-6,8", "[1] 1.0", "[4] 4.0", "[7] 7.0", "[1] 3.0",
                "%f1 = 4.0", "%f2 = 3.0");
    }

    @Test
    void mistakesAreALine() throws IOException {
        Path program = split();
        String[][] cases = {
            {"foo", "there is no command 'foo'; 'help' lists them"},
            {"step x", "step: 'x' is no number from 0 on"},
            {"next", "compiled without -lineinfo"},
            {"reg %r9", "there is no register '%r9' in use here"},
            {"reg %r1 f64", "%r1 is a b32, and cannot be read as 'f64'"},
            {"mem z", "no array is named z"},
            {"mem y 64", "y has 64 elements of type i32, and none at 64"},
            {"mem y 1 2 3 4", "mem: write mem NAME [FROM [COUNT]] [TYPE]"},
            {"lane 32", "there are lanes 0 to 31, and no 32"},
            {"warp 2", "a block has warps 0 to 1, and no 2"},
            {"block 2", "a number from 0 to 1 is needed"},
            {"block 1; block 0", "(0, 0, 0) has run already; 'restart' begins anew"},
            {"break 2", "in PTX line 2 is no instruction: .target sm_80"},
            {"break :3", "no instruction is of source line 3"},
            {"delete 12", "there is no breakpoint at 12"},
            {"continue; step", "the launches are over"},
        };
        for (String[] one : cases) {
            assertThat(step(program, "split<<<2,64>>>(y=zeros(64, i32))", one[0])).as(one[0]).isEqualTo(2);
            assertThat(err).as(one[0]).contains(one[1]).hasLineCount(1);
        }
    }

    @Test
    void aFaultEndsTheSteps() throws IOException {
        assertThat(step(split(), "split<<<1,64>>>(y=zeros(60, i32))", "continue; mem y 0 2; quit")).isOne();
        assertThat(out).contains("OUT_OF_BOUNDS");
    }
}
