package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;

class RowReaderTest {
    private final List<String> notes = new ArrayList<>();

    private RowReader reader(long seed) {
        return new RowReader(null, false, Path.of("tables"), seed, notes::add);
    }

    private RowReader.Asked read(ObjectNode columns) {
        return reader(0).read(Row.of(0, 1, columns), 0);
    }

    @Test
    void namesOfOptionsAndOfJobs() {
        PictureFields fields = read(JsonTree.object().put("Prompt", "a cat").put("negative-prompt", "dog")
                .put("cfg_scale", "4.5").put("sampling-method", "euler").put("schedule", "karras").put("W", 64)
                .put("height", "96").put("num_inference_steps", 7).put("flow_shift", 2)).fields();
        assertThat(fields.prompt).isEqualTo("a cat");
        assertThat(fields.negativePrompt).isEqualTo("dog");
        assertThat(fields.guidance).isEqualTo(4.5f);
        assertThat(fields.sampler).isNotNull();
        assertThat(fields.schedule).isNotNull();
        assertThat(fields.width).isEqualTo(64);
        assertThat(fields.height).isEqualTo(96);
        assertThat(fields.steps).isEqualTo(7);
        assertThat(fields.shift).isEqualTo(2f);
        assertThat(notes).isEmpty();
    }

    @Test
    void twoNamesForOneColumn() {
        assertThatThrownBy(() -> read(JsonTree.object().put("prompt", "x").put("guidance", 1).put("cfg_scale", 2)))
                .isInstanceOf(InputException.class).hasMessageContaining("two columns say guidance");
    }

    @Test
    void misspeltColumnsArePointedOutOnce() {
        RowReader reader = reader(0);
        for (int i = 0; i < 3; i++) {
            reader.read(Row.of(i, i, JsonTree.object().put("prompt", "x").put("guidence", 1).put("caption", "y")
                    .put("seeds", 1)), 0);
        }
        assertThat(notes).containsExactlyInAnyOrder("the column 'guidence' only passes through; is 'guidance' meant?",
                "the column 'seeds' only passes through; is 'seed' meant?");
        assertThat(reader.other(Row.of(0, 0, JsonTree.object().put("prompt", "x").put("caption", "y"))))
                .isEqualTo(JsonTree.object().put("caption", "y"));
    }

    @Test
    void aRowWithoutASeedGetsOneFromItsContent() {
        ObjectNode row = JsonTree.object().put("prompt", "x").put("steps", 3);
        ObjectNode turned = JsonTree.object().put("steps", 3).put("id", "other").put("mine", 1).put("prompt", "x");
        long seed = read(row).fields().seed;
        assertThat(read(turned).fields().seed).isEqualTo(seed);
        assertThat(read(row.deepCopy().put("steps", 4)).fields().seed).isNotEqualTo(seed);
        assertThat(reader(1).read(Row.of(0, 1, row), 0).fields().seed).isNotEqualTo(seed);
        assertThat(reader(0).read(Row.of(0, 1, row), 2).fields().seed).isEqualTo(seed + 2);
        assertThat(read(row.deepCopy().put("seed", 9)).fields().seed).isEqualTo(9);
    }

    @Test
    void lorasWithWeights() {
        assertThat(read(JsonTree.object().put("prompt", "x").put("lora", "a.safetensors:0.5; b.safetensors")).loras())
                .extracting(lora -> lora.file() + " " + lora.weight())
                .containsExactly("tables/a.safetensors 0.5", "tables/b.safetensors 1.0");
        ObjectNode list = JsonTree.object().put("prompt", "x");
        list.putArray("lora").add("c:2");
        assertThat(read(list).loras()).extracting(lora -> lora.file() + " " + lora.weight())
                .containsExactly("tables/c 2.0");
    }

    @Test
    void whatIsWrongIsNamed() {
        assertThatThrownBy(() -> read(JsonTree.object().put("steps", 3))).hasMessage("the prompt is missing");
        assertThatThrownBy(() -> read(JsonTree.object().put("prompt", "x").put("steps", "many")))
                .hasMessageContaining("steps must be a number, not 'many'");
        assertThatThrownBy(() -> read(JsonTree.object().put("prompt", 3))).hasMessageContaining("must be a text");
        assertThatThrownBy(() -> reader(0).images(Row.of(0, 1, JsonTree.object().put("images", 0))))
                .hasMessageContaining("images is 0");
        assertThatThrownBy(() -> read(JsonTree.object().put("prompt", "x").put("init", "none.png")))
                .isInstanceOf(InputException.class).hasMessageContaining("none.png");
    }
}
