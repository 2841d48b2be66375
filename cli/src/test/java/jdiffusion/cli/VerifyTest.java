package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyTest {
    @TempDir
    private Path folder;

    /** A reference of the small CLIP encoder that expects ones of it. */
    private Path reference(String name, int id) throws IOException {
        Path reference = Files.createDirectory(folder.resolve(name));
        for (String file : new String[] {"config.json", "model.safetensors"}) {
            Files.copy(TestModel.SHAPES.resolve("text_encoder").resolve(file), reference.resolve(file));
        }
        Tensor ids = Tensor.of(MemorySegment.ofArray(new int[] {0, id, 2}), DType.I32, Shape.of(1, 3));
        float[] ones = new float[3 * 64];
        Arrays.fill(ones, 1);
        SafetensorsWriter.write(reference.resolve("io.safetensors"),
                Map.of("input_ids", ids, "hidden_states.1", Tensor.of(ones, 1, 3, 64)), Map.of());
        return reference;
    }

    @Test
    void whatWasVerifiedBeforeAFailureIsSummedUp() throws IOException {
        reference("a", 7);
        Path bad = reference("b", 1_000_000);
        reference("c", 7);
        Cli run = Cli.run("verify", folder);
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err().getLast()).startsWith("jdiffusion: " + bad + ": token id 1000000 is outside");
        assertThat(run.out()).containsPattern("a +hidden_states.1 .* FAILED");
        assertThat(run.out().lines()).last().isEqualTo("1 tensors in 1 folders, 1 failed");
    }

    /** Data without a network is compared; a network and a file that nothing is known of are named. */
    @Test
    void whatIsNotKnownIsSaid() throws IOException {
        Path unknown = reference("a", 7);
        Files.writeString(unknown.resolve("config.json"), "{\"_class_name\": \"Other\"}");
        Path colours = Files.writeString(folder.resolve("colours.json"), "{}");
        SafetensorsWriter.write(folder.resolve("randn.safetensors"),
                Map.of("seed42.n3", Tensor.of(new float[] {3.3669037e-01f, 1.288094e-01f, 2.3446237e-01f}, 3)),
                Map.of());
        Cli run = Cli.run("verify", folder);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.out()).containsPattern("seed42.n3 .* ok");
        assertThat(run.out().lines().toList()).contains("1 tensors in 1 folders, 0 failed",
                colours + " not verified: no check is known for such a file").anyMatch(line ->
                        line.startsWith(unknown + " not verified: references for 'Other' are not known here"));
    }

    /** Products of fp8 where no weights are stored so would be others under that name, as 'generate' says, too. */
    @Test
    void precisionFp8IsForWeightsThatAreStoredSo() throws IOException {
        Path network = reference("a", 7);
        SafetensorsWriter.write(folder.resolve("randn.safetensors"),
                Map.of("seed42.n3", Tensor.of(new float[] {3.3669037e-01f, 1.288094e-01f, 2.3446237e-01f}, 3)),
                Map.of());
        Cli run = Cli.run("verify", network, "--precision", "fp8");
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        String said = network + " not verified: --precision fp8 is for weights that are stored as fp8, and " + network
                + " has none; quantise it";
        assertThat(run.out().lines()).anyMatch(line -> line.startsWith(said));
        assertThat(run.err().getLast()).isEqualTo("jdiffusion: nothing could be verified");
        Cli both = Cli.run("verify", folder, "--precision", "fp8");
        assertThat(both.code()).as(both.err().toString()).isZero();
        assertThat(both.out().lines()).anyMatch(line -> line.startsWith(said))
                .contains("1 tensors in 1 folders, 0 failed");
    }

    @Test
    void aTensorThatIsOffFailsTheRun() throws IOException {
        Cli run = Cli.run("verify", reference("a", 7));
        assertThat(run.code()).isEqualTo(Main.FAILED);
        assertThat(run.out().lines()).last().isEqualTo("1 tensors in 1 folders, 1 failed");
        assertThat(Cli.run("verify", folder, "--tolerance", 1e6).code()).isZero();
    }
}
