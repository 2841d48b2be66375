package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guiders, caches, other programs' settings and prompt weights, as a user gives them. */
class MethodOptionsTest {
    @TempDir
    private Path folder;

    private Cli draw(String name, Object... options) {
        List<Object> all = new ArrayList<>(List.of("generate", "a (red:1.3) circle", "-W", 64, "-H", 48, "--steps", 4,
                "--t5-length", 20, "-o", folder.resolve(name)));
        all.addAll(List.of(options));
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).as("%s", run.err()).isZero();
        return run;
    }

    private void comesBack(String name) {
        Cli again = Cli.run("generate", "--from", folder.resolve(name), "-o", folder.resolve("again.png"));
        assertThat(again.code()).as("%s", again.err()).isZero();
        assertThat(folder.resolve("again.png")).hasSameBinaryContentAs(folder.resolve(name));
    }

    /** Each changes the picture and is read back from its file. */
    @Test
    void settingsAreKeptInThePicture() {
        draw("plain.png");
        byte[] plain = Png.read(folder.resolve("plain.png")).picture().rgb();
        Object[][] options = {{"--guiders", "apg(eta=0.5),interval(0,0.9),rescale(0.3),pag(start=0,stop=1)"},
            {"--cache", "taylor(2,warmup=2)", "--noise", "philox"}, {"--weights", "a1111"},
            {"--weights", "comfyui", "--guiders", "cfg-zero"}, {"--compat", "sdcpp"}};
        for (int i = 0; i < options.length; i++) {
            Cli run = draw(i + ".png", options[i]);
            assertThat(run.err()).anySatisfy(line -> assertThat(line).startsWith("settings: "));
            assertThat(Png.read(folder.resolve(i + ".png")).picture().rgb()).isNotEqualTo(plain);
            comesBack(i + ".png");
        }
    }

    /** Of one draw: both pictures come back from the file of one. */
    @Test
    void oneDrawForABatch() {
        draw("alone.png", "-s", 7);
        byte[] alone = Png.read(folder.resolve("alone.png")).picture().rgb();
        Cli run = draw("both%d.png", "-s", 7, "-b", 2, "--compat", "diffusers");
        assertThat(run.err()).anySatisfy(line -> assertThat(line).contains("seed 7 for all"));
        assertThat(Png.read(folder.resolve("both2.png")).picture().rgb()).isNotEqualTo(alone);
        Cli back = Cli.run("generate", "--from", folder.resolve("both2.png"), "-o", folder.resolve("back%d.png"));
        assertThat(back.code()).as("%s", back.err()).isZero();
        for (int i = 1; i <= 2; i++) {
            assertThat(folder.resolve("back" + i + ".png")).hasSameBinaryContentAs(
                    folder.resolve("both" + i + ".png"));
        }
    }

    @Test
    void theCacheIsReported() {
        Cli run = draw("cached.png", "--cache", "taylor(2,warmup=1)", "--cache-report", "--json");
        assertThat(run.out()).contains("\"cache_reports\":[{\"cache\":\"taylor(2,order=1,warmup=1)\"")
                .contains("\"psnr\":").contains("\"branch\":\"prompt\"");
        assertThat(run.err()).anySatisfy(line -> assertThat(line).contains("of 4 evaluations saved"))
                .anySatisfy(line -> assertThat(line).contains("PSNR"))
                .anySatisfy(line -> assertThat(line).contains("times as fast"));
    }

    @Test
    void badOnesAreNamed() {
        Cli.assertDrawsNothing(folder, "--guiders: there is no guider 'cads'", "a", "--guiders", "cads");
        Cli.assertDrawsNothing(folder, "apg and tcfg both replace", "a", "--guiders", "apg,tcfg");
        Cli.assertDrawsNothing(folder, "--cache: there is no cache 'x'", "a", "--cache", "x");
        Cli.assertDrawsNothing(folder, "no cache; give one of", "a", "--cache-report");
        Cli.assertDrawsNothing(folder, "use one of cpu, philox", "a", "--noise", "cuda");
        Cli.assertDrawsNothing(folder, "use one of none, a1111, comfyui", "a", "--weights", "x");
        Cli.assertDrawsNothing(folder, "use one of diffusers, comfyui", "a", "--compat", "x");
        Cli.assertDrawsNothing(folder, "use consecutive or one-draw", "a", "--batch-seeds", "x");
        Cli.assertDrawsNothing(folder, "are one draw", "a", "--cache", "taylor", "--cache-report", "-b", 2,
                "--batch-seeds", "one-draw");
    }
}
