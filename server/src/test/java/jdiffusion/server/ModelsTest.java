package jdiffusion.server;

import static jdiffusion.server.TestServer.node;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several models, of which one is loaded at a time. */
class ModelsTest {
    @TempDir
    private Path folder;

    private TestServer server(long idleSeconds) {
        return new TestServer(s -> {
            s.models = folder;
            s.idle = Duration.ofSeconds(idleSeconds);
            return s;
        });
    }

    private static byte[] picture(TestServer server, String model) throws IOException, InterruptedException {
        return image(server, "{\"prompt\":\"a star\",\"size\":\"32x32\",\"steps\":2,\"seed\":1,\"model\":\"" + model
                + "\"}");
    }

    private static String metrics(TestServer server) throws IOException, InterruptedException {
        return new String(server.get("/metrics").body(), StandardCharsets.UTF_8);
    }

    @Test
    void modelsOfAFolderAreLoadedWhenTheyAreAskedFor() throws IOException, InterruptedException {
        Files.createSymbolicLink(folder.resolve("other"), TestServer.SHAPES);
        Files.writeString(folder.resolve("broken.safetensors"), "nothing");
        Files.writeString(folder.resolve("readme.txt"), "nothing");
        try (TestServer server = server(600)) {
            assertThat(node(server.get("/v1/models")).get("data").findValuesAsText("id"))
                    .containsExactly("shapes", "other");
            assertThat(server.log()).anyMatch(line -> line.contains("broken.safetensors"));
            assertThat(metrics(server)).contains("jdiffusion_models_loaded 0.0");
            byte[] first = picture(server, "other");
            assertThat(new String(first, StandardCharsets.ISO_8859_1)).contains("Model: other");
            assertThat(picture(server, "shapes")).isEqualTo(server.quick("a star", 1));
            assertThat(picture(server, "OTHER")).isEqualTo(first);
            JsonNode models = node(server.get("/api/v1/options")).get("models");
            assertThat(models.findValuesAsText("loaded")).containsExactly("false", "true");
            assertThat(metrics(server)).contains("jdiffusion_models_loaded 1.0",
                    "jdiffusion_model_load_seconds_count{model=\"other\"} 2");
            server.post("/sdapi/v1/options", "{\"sd_model_checkpoint\":\"other\"}");
            assertThat(picture(server, "dall-e-3")).isEmpty();
            assertThat(node(server.get("/sdapi/v1/options")).get("sd_model_checkpoint").asText()).isEqualTo("other");
            Files.createSymbolicLink(folder.resolve("third"), TestServer.SHAPES);
            server.post("/sdapi/v1/refresh-checkpoints", "");
            assertThat(node(server.get("/v1/models")).get("data").findValuesAsText("id"))
                    .containsExactly("shapes", "other", "third");
        }
    }

    @Test
    void aModelThatNobodyAsksForIsLetGo() throws IOException, InterruptedException {
        try (TestServer server = server(0)) {
            long before = server.backend.memory().live();
            assertThat(picture(server, "shapes")).isNotEmpty();
            while (!metrics(server).contains("jdiffusion_models_loaded 0.0")) {
                Thread.sleep(20);
            }
            assertThat(server.backend.memory().live()).isEqualTo(before);
            assertThat(picture(server, "shapes")).isEqualTo(server.quick("a star", 1));
        }
    }

    /** One for the small model. */
    private Path lora() throws IOException {
        float[] down = new float[256];
        float[] up = new float[256];
        for (int i = 0; i < 256; i++) {
            down[i] = 0.3f * (i % 5 - 2);
            up[i] = 0.1f * (i % 3 - 1);
        }
        Map<String, Tensor> tensors = new TreeMap<>();
        tensors.put("transformer.transformer_blocks.0.attn.to_out.0.lora_A.weight", Tensor.of(down, 1, 256));
        tensors.put("transformer.transformer_blocks.0.attn.to_out.0.lora_B.weight", Tensor.of(up, 256, 1));
        Path file = Files.createDirectories(folder.resolve("styles")).resolve("waves.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    @Test
    void lorasByTheirNamesInPrompts() throws IOException, InterruptedException {
        Path lora = lora();
        try (TestServer server = new TestServer(s -> {
            s.loras = folder;
            return s;
        })) {
            byte[] plain = picture(server, "shapes");
            String body = "{\"size\":\"32x32\",\"steps\":2,\"seed\":1,\"prompt\":\"a star";
            byte[] tagged = image(server, body + "<lora:waves:0.5>\"}");
            byte[] listed = image(server, body + "\",\"loras\":[{\"name\":\"styles/waves\",\"weight\":0.5}]}");
            assertThat(node(server.get("/sdapi/v1/loras")).findValuesAsText("name")).containsExactly("styles/waves");
            assertThat(node(server.get("/api/v1/options")).get("loras").get(0).asText()).isEqualTo("styles/waves");
            try (Pipeline pipeline = Pipeline.open(AdaptedFiles.of(Families.open(TestServer.SHAPES,
                    ModelSources.NONE), List.of(new Lora(lora, 0.5f))), server.backend)) {
                Picture expected = pipeline.generate(pipeline.request("a star").toBuilder().size(32, 32).steps(2)
                        .seed(1).build(), Progress.NONE).getFirst();
                assertThat(PictureFile.read(tagged, "tagged").rgb()).isEqualTo(expected.rgb());
                assertThat(PictureFile.read(listed, "listed").rgb()).isEqualTo(expected.rgb());
            }
            assertThat(picture(server, "shapes")).isEqualTo(plain);
            HttpResponse<byte[]> none = server.post("/v1/images/generations", body + "<lora:none:1>\"}");
            assertThat(none.statusCode()).isEqualTo(400);
            assertThat(node(none).at("/error/message").asText()).contains("<lora:none:1>")
                    .doesNotContain(folder.toString());
            assertThat(server.post("/v1/images/generations", body + "<lora:../../x:1>\"}").statusCode())
                    .isEqualTo(400);
        }
    }

    private static byte[] image(TestServer server, String body) throws IOException, InterruptedException {
        return Base64.getDecoder().decode(node(server.post("/v1/images/generations", body))
                .at("/data/0/b64_json").asText());
    }
}
