package jdiffusion.server;

import static jdiffusion.server.TestServer.node;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class A1111Test {
    private static final String TXT2IMG = "/sdapi/v1/txt2img";
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = new TestServer();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static byte[] image(JsonNode answer, int i) {
        return Base64.getDecoder().decode(answer.get("images").get(i).asText());
    }

    private static JsonNode info(JsonNode answer) throws IOException {
        assertThat(answer.get("info").isTextual()).isTrue();
        return TestServer.JSON.readTree(answer.get("info").asText());
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    @Test
    void textToImageWithInfo() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(TXT2IMG, "{\"prompt\":\"a red circle\",\"negative_prompt\":\"blue\","
                + "\"width\":32,\"height\":32,\"steps\":3,\"cfg_scale\":2.5,\"seed\":7,\"batch_size\":2,\"n_iter\":1,"
                + "\"sampler_name\":\"DPM++ 2M Karras\",\"unknown\":[1],\"restore_faces\":false,\"styles\":[],"
                + "\"override_settings\":{\"sd_model_checkpoint\":\"shapes [0123456789]\"}}"));
        JsonNode info = info(answer);
        assertThat(answer.get("images")).hasSize(2);
        for (int i = 0; i < 2; i++) {
            long seed = 7 + i;
            byte[] expected = server.expected("a red circle", builder -> builder.negativePrompt("blue").size(32, 32)
                    .steps(3).guidance(2.5f).seed(seed).sampler(Sampler.Kind.DPMPP_2M).schedule(SigmaSchedule.KARRAS));
            assertThat(image(answer, i)).isEqualTo(expected);
            assertThat(info.get("infotexts").get(i).asText()).startsWith("a red circle").contains("Seed: " + seed);
            assertThat(info.get("all_seeds").get(i).asLong()).isEqualTo(seed);
        }
        assertThat(info.get("width").asInt()).isEqualTo(32);
        assertThat(info.get("sampler_name").asText()).isEqualTo("DPM++ 2M");
        assertThat(info.get("sd_model_name").asText()).isEqualTo("shapes");
        assertThat(answer.at("/parameters/prompt").asText()).isEqualTo("a red circle");
    }

    @Test
    void bracketsAreWeights() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(TXT2IMG,
                "{\"prompt\":\"a (red:1.4) circle\",\"width\":32,\"height\":32,\"steps\":2,\"seed\":1}"));
        assertThat(image(answer, 0)).isEqualTo(server.expected("a (red:1.4) circle", builder -> builder.size(32, 32)
                .steps(2).seed(1).methods(Methods.NONE.withWeights(PromptWeights.A1111))));
        assertThat(info(answer).get("infotexts").get(0).asText()).contains("Prompt weights: a1111");
    }

    @Test
    void sizesAreRoundedDownAndTheModelsDefaultsCount() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(TXT2IMG,
                "{\"prompt\":\"a star\",\"width\":47,\"height\":33,\"steps\":2,\"seed\":1}"));
        assertThat(image(answer, 0)).isEqualTo(server.expected("a star",
                builder -> builder.size(32, 32).steps(2).seed(1)));
        assertThat(info(answer).get("notes").toString()).contains("47x33", "32x32");
    }

    @Test
    void imageToImageWithAMask() throws IOException, InterruptedException {
        byte[] init = server.quick("a red circle", 5);
        byte[] half = new byte[3 * 32 * 32];
        Arrays.fill(half, 0, half.length / 2, (byte) 255);
        Picture mask = new Picture(32, 32, half);
        String body = "\"prompt\":\"a blue star\",\"steps\":4,\"seed\":9,\"denoising_strength\":0.75,"
                + "\"init_images\":[\"data:image/png;base64," + base64(init) + "\"],\"mask\":\""
                + base64(Png.encode(mask, Map.of())) + "\"";
        for (boolean inverted : new boolean[] {false, true}) {
            JsonNode answer = node(server.post("/sdapi/v1/img2img", "{" + body + ",\"inpainting_mask_invert\":"
                    + (inverted ? "1" : "false") + ",\"mask_blur\":0,\"inpaint_full_res\":false,"
                    + "\"inpainting_fill\":1}"));
            InpaintSettings pasted = new InpaintSettings(0, inverted, false, 0, MaskFill.ORIGINAL, true, null);
            byte[] expected = server.expected("a blue star", builder -> pasted.addTo(builder.size(32, 32).steps(4)
                    .seed(9).build(), PictureFile.read(init, "init"), mask, false, 0.75).toBuilder());
            assertThat(PictureFile.read(image(answer, 0), "image").rgb())
                    .isEqualTo(PictureFile.read(expected, "image").rgb());
            assertThat(answer.at("/parameters/init_images").isNull()).isTrue();
        }
        assertThat(server.post("/sdapi/v1/img2img", "{\"prompt\":\"a\"}").statusCode()).isEqualTo(404);
    }

    @Test
    void whatIsWrongOrNotHereIsSaid() throws IOException, InterruptedException {
        HttpResponse<byte[]> sampler = server.post(TXT2IMG, "{\"prompt\":\"a\",\"sampler_name\":\"best\"}");
        assertThat(sampler.statusCode()).isEqualTo(400);
        assertThat(node(sampler).get("detail").asText()).contains("Euler a", "DPM++ 2M");
        assertThat(server.post(TXT2IMG, "{\"prompt\":\"a\",\"scheduler\":\"best\"}").statusCode()).isEqualTo(400);
        for (String body : List.of("{\"script_name\":\"X/Y/Z plot\"}",
                "{\"alwayson_scripts\":{\"controlnet\":{\"args\":[{\"enabled\":true,\"model\":\"canny\"}]}}}")) {
            assertThat(server.post(TXT2IMG, body).statusCode()).as(body).isEqualTo(422);
        }
        for (String path : List.of("interrogate", "extra-single-image", "extra-batch-images")) {
            HttpResponse<byte[]> answer = server.post("/sdapi/v1/" + path, "{}");
            assertThat(answer.statusCode()).isEqualTo(422);
            assertThat(node(answer).get("detail").asText()).contains(path);
        }
    }

    @Test
    void listsThatClientsAskForWhenTheyStart() throws IOException, InterruptedException {
        for (String path : List.of("upscalers", "latent-upscale-modes", "sd-vae", "hypernetworks", "face-restorers",
                "realesrgan-models", "prompt-styles", "script-info", "loras")) {
            assertThat(node(server.get("/sdapi/v1/" + path)).isArray()).as(path).isTrue();
        }
        assertThat(node(server.get("/sdapi/v1/samplers")).findValuesAsText("name")).contains("Euler a", "DPM++ 2M");
        assertThat(node(server.get("/sdapi/v1/schedulers")).findValuesAsText("label")).contains("SGM Uniform");
        JsonNode model = node(server.get("/sdapi/v1/sd-models")).get(0);
        assertThat(model.get("title").asText()).isEqualTo("shapes");
        assertThat(model.get("model_name").asText()).isEqualTo("shapes");
        assertThat(node(server.get("/sdapi/v1/scripts")).has("txt2img")).isTrue();
        assertThat(node(server.get("/sdapi/v1/memory")).at("/ram/total").asLong()).isPositive();
        assertThat(node(server.get("/sdapi/v1/embeddings")).has("loaded")).isTrue();
        JsonNode options = node(server.get("/sdapi/v1/options"));
        assertThat(options.get("sd_model_checkpoint").asText()).isEqualTo("shapes");
        assertThat(server.post("/sdapi/v1/options", options.toString()).statusCode()).isEqualTo(200);
        assertThat(server.post("/sdapi/v1/options", "{\"sd_model_checkpoint\":\"x\"}").statusCode()).isEqualTo(404);
        assertThat(server.post("/sdapi/v1/refresh-checkpoints", "").statusCode()).isEqualTo(200);
        JsonNode idle = node(server.get("/sdapi/v1/progress"));
        assertThat(idle.get("progress").asDouble()).isZero();
        assertThat(idle.at("/state/job_count").asInt()).isZero();
    }

    @Test
    void pngInfoReadsSettings() throws IOException, InterruptedException {
        byte[] png = server.quick("a red circle", 3);
        JsonNode info = node(server.post("/sdapi/v1/png-info", "{\"image\":\"data:image/png;base64," + base64(png)
                + "\"}"));
        assertThat(info.get("info").asText()).startsWith("a red circle\n");
        assertThat(info.at("/items/parameters").asText()).isEqualTo(info.get("info").asText());
        assertThat(info.at("/parameters/Seed").asText()).isEqualTo("3");
        assertThat(server.post("/sdapi/v1/png-info", "{\"image\":\"AAAA\"}").statusCode()).isEqualTo(400);
        assertThat(server.post("/sdapi/v1/png-info", "{}").statusCode()).isEqualTo(400);
    }

    private static CompletableFuture<HttpResponse<byte[]>> longOne(int pictures) {
        return server.client.sendAsync(TestServer.json(server.request(TXT2IMG), "{\"prompt\":\"a red circle\","
                + "\"width\":128,\"height\":128,\"steps\":200,\"seed\":1,\"batch_size\":" + pictures + "}").build(),
                HttpResponse.BodyHandlers.ofByteArray());
    }

    private static JsonNode progress(Predicate<JsonNode> enough) throws Exception {
        for (int i = 0; i < 3000; i++) {
            JsonNode progress = node(server.get("/sdapi/v1/progress"));
            if (enough.test(progress)) {
                return progress;
            }
            Thread.sleep(10);
        }
        throw new AssertionError("no such progress");
    }

    @Test
    void progressAndInterruptedPicture() throws Exception {
        CompletableFuture<HttpResponse<byte[]>> answer = longOne(1);
        JsonNode progress = progress(one -> one.hasNonNull("current_image"));
        assertThat(progress.get("progress").asDouble()).isBetween(0.001, 0.999);
        assertThat(progress.get("eta_relative").asDouble()).isPositive();
        assertThat(progress.at("/state/sampling_steps").asInt()).isEqualTo(200);
        byte[] preview = Base64.getDecoder().decode(progress.get("current_image").asText());
        assertThat(PictureFile.read(preview, "preview").width()).isEqualTo(16);
        assertThat(server.post("/sdapi/v1/interrupt", "").statusCode()).isEqualTo(200);
        JsonNode interrupted = node(answer.get());
        assertThat(interrupted.get("images")).hasSize(1);
        assertThat(PictureFile.read(image(interrupted, 0), "image").width()).isEqualTo(128);
        assertThat(info(interrupted).at("/infotexts/0").asText()).contains("Interrupted: after ");
        progress(one -> one.at("/state/job_count").asInt() == 0);
    }

    @Test
    void skippingGoesOnWithTheNextPicture() throws Exception {
        CompletableFuture<HttpResponse<byte[]>> answer = longOne(2);
        progress(one -> one.at("/state/sampling_step").asInt() > 0);
        server.post("/sdapi/v1/skip", "");
        progress(one -> one.at("/state/job_no").asInt() == 1);
        server.post("/sdapi/v1/interrupt", "");
        JsonNode both = node(answer.get());
        assertThat(both.get("images")).hasSize(2);
        assertThat(info(both).get("all_seeds").toString()).isEqualTo("[1,2]");
    }
}
