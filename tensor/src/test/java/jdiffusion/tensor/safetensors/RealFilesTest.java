package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import org.junit.jupiter.api.Test;

/** Files that the Python library wrote; skipped where the folder {@code shared} is not beside the checkout. */
class RealFilesTest {
    private static Path shared() {
        String named = System.getenv("JDIFFUSION_SHARED");
        Path found = named == null ? null : Path.of(named);
        for (Path at = Path.of("").toAbsolutePath(); found == null && at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve("shared/reference"))) {
                found = at.resolve("shared");
            }
        }
        assumeTrue(found != null, "no folder shared/reference above the working directory, set JDIFFUSION_SHARED");
        return found;
    }

    @Test
    void everyReferenceFileOpens() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(shared(), FileVisitOption.FOLLOW_LINKS)) {
            files = all.filter(p -> p.toString().endsWith(".safetensors")).toList();
        }
        assertThat(files).isNotEmpty();
        for (Path path : files) {
            try (SafetensorsFile file = SafetensorsFile.open(path)) {
                long bytes = file.names().stream().mapToLong(n -> file.find(n).byteSize()).sum();
                assertThat(bytes).as(path.toString()).isPositive().isLessThan(Files.size(path));
            }
        }
    }

    @Test
    void aModelOfOneFile() {
        try (Checkpoint vae = Checkpoint.open(shared().resolve("models/shapes/vae"), "diffusion_pytorch_model")) {
            assertThat(vae.names()).hasSize(180);
            assertThat(vae.find("decoder.conv_in.bias").shape()).isEqualTo(Shape.of(64));
            assertThat(vae.find("decoder.conv_in.bias").type()).isEqualTo(DType.F32);
            assertThat(vae.find("decoder.conv_in.bia")).isNull();
        }
    }

    @Test
    void aModelInShardsHoldsWhatTheModelInOneFileHolds() {
        Path layouts = shared().resolve("reference/layouts");
        try (Checkpoint shards = Checkpoint.open(layouts.resolve("sharded/transformer"), "diffusion_pytorch_model");
                Checkpoint one = Checkpoint.open(layouts.resolve("diffusers/transformer"), "diffusion_pytorch_model")) {
            assertThat(shards.names()).hasSize(85).isEqualTo(one.names());
            for (String name : one.names()) {
                assertThat(shards.find(name).shape()).isEqualTo(one.find(name).shape());
                assertThat(shards.find(name).data().mismatch(one.find(name).data())).as(name).isEqualTo(-1);
            }
        }
    }
}
