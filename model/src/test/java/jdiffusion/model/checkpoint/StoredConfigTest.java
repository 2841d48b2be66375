package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.text.ClipConfig;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A configuration in a file's own metadata is checked as one beside it is. */
class StoredConfigTest {
    @TempDir
    private Path folder;

    private Path clip(String metadata) {
        Path file = folder.resolve("clip_l.safetensors");
        try (SafetensorsFile all = SafetensorsFile.open(
                TestData.defaultModel().resolve("text_encoder/model.safetensors"))) {
            Map<String, Tensor> tensors = new TreeMap<>();
            all.names().forEach(name -> tensors.put(name, all.find(name)));
            SafetensorsWriter.write(file, tensors, Map.of(StoredConfig.KEY, metadata));
        }
        return file;
    }

    private ClipConfig load(String metadata) {
        try (ModelFiles.Open open = Families.models().openParts(clip(metadata)).open(Component.CLIP_L)) {
            return ClipTextEncoder.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config();
        }
    }

    @Test
    void whatTheShapesDoNotSayIsTaken() {
        ClipConfig config = load("""
                {"text_encoder": {"num_attention_heads": 4, "layer_norm_eps": 0.5, "hidden_size": 3}}""");
        assertThat(config.heads()).isEqualTo(4);
        assertThat(config.eps()).isEqualTo(0.5f);
        assertThat(config.hidden()).isEqualTo(64);
        assertThat(load("{}").heads()).isPositive();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "`` | in its metadata is null; a JSON object is expected",
        "[] | in its metadata is []; a JSON object is expected",
        "{ | in its metadata: not valid JSON",
        "{'text_encoder': 3} | .text_encoder in its metadata is 3; a JSON object is expected",
        "{'text_encoder': {'num_attention_heads': 3}} | 3 heads do not divide a width of 64",
        "{'text_encoder': {'num_attention_heads': -2}} | num_attention_heads is -2; a positive integer is needed",
        "{'text_encoder': {'num_attention_heads': '2'}} | num_attention_heads is \"2\", not an integer",
        "{'text_encoder': {'layer_norm_eps': 0}} | layer_norm_eps is 0.0; a positive number is needed"})
    void badValuesAreNamedWithTheFile(String metadata, String message) {
        assertThatThrownBy(() -> load(metadata.replace('\'', '"'))).isInstanceOf(InputException.class)
                .hasMessageStartingWith(folder.resolve("clip_l.safetensors") + ": jdiffusion.config")
                .hasMessageContaining(message);
    }
}
