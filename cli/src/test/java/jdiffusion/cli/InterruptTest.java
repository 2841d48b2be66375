package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is told to end leaves whole pictures and nothing else. */
class InterruptTest {
    /** Only a process that hangs takes so long, on however slow a machine. */
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    @TempDir
    private Path folder;

    @Test
    void endsBetweenPictures() throws IOException, InterruptedException {
        Path log = folder.resolve("log");
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        Process process = ChildJvm.process(ChildJvm.command(ChildJvm.SHORT, "generate", "a", "--device", "cpu",
                "-b", 100000, "-W", 16, "-H", 16, "--steps", 1, "--no-t5", "--preview", 1, "-o", pictures))
                .redirectOutput(log.toFile()).start();
        try {
            Instant start = Instant.now();
            while (Cli.names(pictures).stream().filter(name -> !name.contains("preview")).count() < 3) {
                if (!process.isAlive() || Instant.now().isAfter(start.plus(PATIENCE))) {
                    fail("no pictures come: " + Files.readString(log));
                }
                Thread.sleep(10);
            }
            process.destroy();
            assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(Files.readString(log)).contains("jdiffusion: interrupted;", "not kept, its preview is");
        for (String name : Cli.names(pictures)) {
            assertThat(name).endsWith(".png");
            assertThat(Png.read(pictures.resolve(name)).picture().width()).isEqualTo(16);
        }
    }
}
