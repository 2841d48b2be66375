package jdiffusion.server;

import static jdiffusion.server.TestServer.node;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.image.Border;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.server.draw.Limits;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Soft masks, parts, borders and second passes by all interfaces: what the library draws for the same settings. */
class MasksTest {
    private static final String IMG2IMG = "/sdapi/v1/img2img";
    private static final String TXT2IMG = "/sdapi/v1/txt2img";
    private static final int SIDE = 48;
    private static TestServer server;
    private static Picture init;
    private static Picture mask;

    @BeforeAll
    static void start() {
        server = new TestServer(settings -> {
            settings.limits = new Limits(200 * 200, 400, 4, 8 << 20);
            return settings;
        });
        byte[] rgb = new byte[3 * SIDE * SIDE];
        byte[] white = new byte[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (3 * (i / 3 % SIDE) + 2 * (i / 3 / SIDE) + 50 * (i % 3));
            white[i] = (byte) (i / 3 % SIDE >= 20 && i / 3 % SIDE < 30 && i / 3 / SIDE >= 12 && i / 3 / SIDE < 24
                    ? 255 : 0);
        }
        init = new Picture(SIDE, SIDE, rgb);
        mask = new Picture(SIDE, SIDE, white);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String base64(Picture picture) {
        return Base64.getEncoder().encodeToString(Png.encode(picture, Map.of()));
    }

    private static Picture picture(byte[] png) {
        return PictureFile.read(png, "picture");
    }

    private static byte[] file(JsonNode answer) {
        return Base64.getDecoder().decode(answer.at("/images/0").asText());
    }

    private static Picture expected(UnaryOperator<GenerationRequest.Builder> change) {
        return picture(server.expected("a blue star", builder -> change.apply(builder.steps(3).seed(9))));
    }

    private static Picture expected(InpaintSettings settings, int width, int height, double strength) {
        return expected(builder -> settings.addTo(builder.size(width, height).build(), init,
                settings.border() == null ? mask : null, false, strength).toBuilder());
    }

    private static String img2img(String more) {
        return "{\"prompt\":\"a blue star\",\"steps\":3,\"seed\":9,\"width\":32,\"height\":32,"
                + "\"denoising_strength\":0.75,\"init_images\":[\"" + base64(init) + "\"],\"mask\":\"" + base64(mask)
                + "\"" + more + "}";
    }

    /** What is left out is as there: a blur of 4, the part around the mask, the colours around it. */
    @Test
    void defaultsOfAutomatic1111() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(IMG2IMG, img2img("")));
        Picture drawn = picture(file(answer));
        assertThat(drawn.rgb()).isEqualTo(expected(new InpaintSettings(4, false, true, 0, MaskFill.FILL, true, null),
                32, 32, 0.75).rgb());
        assertThat(drawn.width()).isEqualTo(SIDE);
        assertThat(drawn.rgb()[0]).isEqualTo(init.rgb()[0]);
        assertThat(TestServer.JSON.readTree(answer.get("info").asText()).at("/infotexts/0").asText()).contains(
                "Denoising strength: 0.75, ", "Mask blur: 4, Masked content: fill, Inpaint area: Only masked, Masked"
                + " area padding: 0, ", "Size: 32x32");
    }

    @Test
    void fieldsOfAutomatic1111() throws IOException, InterruptedException {
        for (String invert : List.of("true", "1")) {
            assertThat(picture(file(node(server.post(IMG2IMG, img2img(",\"mask_blur\":2,\"inpainting_fill\":2,"
                    + "\"inpainting_mask_invert\":" + invert + ",\"inpaint_full_res\":0"))))).rgb()).isEqualTo(expected(
                    new InpaintSettings(2, true, false, 0, MaskFill.NOISE, true, null), 32, 32, 0.75).rgb());
        }
        assertThat(picture(file(node(server.post(IMG2IMG, img2img(",\"mask_blur\":0,\"inpainting_fill\":1,"
                + "\"inpaint_full_res\":true,\"inpaint_full_res_padding\":5"))))).rgb()).isEqualTo(expected(
                new InpaintSettings(0, false, true, 5, MaskFill.ORIGINAL, true, null), 32, 32, 0.75).rgb());
    }

    @Test
    void secondPassOfAutomatic1111() throws IOException, InterruptedException {
        String body = "\"prompt\":\"a blue star\",\"steps\":3,\"seed\":9,\"width\":32,\"height\":32,\"enable_hr\":true";
        JsonNode answer = node(server.post(TXT2IMG, "{" + body + "}"));
        assertThat(picture(file(answer)).rgb()).isEqualTo(expected(builder -> builder.size(32, 32)
                .hires(new Hires(64, 64, 0.75, 0, Hires.Upscaler.LATENT))).rgb());
        JsonNode info = TestServer.JSON.readTree(answer.get("info").asText());
        assertThat(info.at("/infotexts/0").asText()).contains("Size: 32x32, ",
                "Denoising strength: 0.75, Hires upscale: 2, Hires upscaler: Latent");
        assertThat(info.get("denoising_strength").asDouble()).isEqualTo(0.75);
        JsonNode wide = node(server.post(TXT2IMG, "{" + body + ",\"hr_resize_x\":80,\"hr_resize_y\":70,"
                + "\"hr_upscaler\":\"Lanczos\",\"hr_second_pass_steps\":4,\"denoising_strength\":0.5,\"batch_size\":2}"));
        assertThat(wide.get("images")).hasSize(2);
        assertThat(picture(file(wide)).rgb()).isEqualTo(expected(builder -> builder.size(32, 32)
                .hires(new Hires(80, 64, 0.5, 4, Hires.Upscaler.LANCZOS))).rgb());
        assertThat(wide.get("info").asText()).contains("the second pass is to be 80x70; drawn is 80x64")
                .contains("Hires resize: 80x64, Hires steps: 4, Hires upscaler: Lanczos");
    }

    @Test
    void listsSayWhatThereIs() throws IOException, InterruptedException {
        assertThat(node(server.get("/sdapi/v1/upscalers")).findValuesAsText("name")).containsExactly("Lanczos");
        assertThat(node(server.get("/sdapi/v1/latent-upscale-modes")).findValuesAsText("name"))
                .containsExactly("Latent");
        assertThat(node(server.get("/controlnet/version")).get("version").asInt()).isPositive();
        assertThat(node(server.get("/controlnet/model_list")).get("model_list")).isEmpty();
        assertThat(node(server.get("/controlnet/module_list")).get("module_list").toString()).isEqualTo("[\"none\"]");
        JsonNode options = node(server.get("/api/v1/options"));
        assertThat(options.get("control_nets")).isEmpty();
        assertThat(options.toString()).contains("\"choices\":[\"fill\",\"original\",\"noise\",\"nothing\"]",
                "\"choices\":[\"latent\",\"lanczos\"]", "\"name\":\"mask_blur\"");
    }

    private static void assertAnswer(int code, String message, String path, String body) throws IOException,
            InterruptedException {
        HttpResponse<byte[]> answer = server.post(path, body);
        assertThat(answer.statusCode()).as(message).isEqualTo(code);
        assertThat(new String(answer.body(), StandardCharsets.UTF_8)).contains(message);
    }

    @Test
    void whatIsWrongIsSaid() throws IOException, InterruptedException {
        assertAnswer(400, "is to be blurred by -1 pixels", IMG2IMG, img2img(",\"mask_blur\":-1"));
        assertAnswer(400, "padding around what is masked is -4", IMG2IMG, img2img(",\"inpaint_full_res_padding\":-4"));
        assertAnswer(400, "inpainting_fill is 4; use 0 (fill)", IMG2IMG, img2img(",\"inpainting_fill\":4"));
        assertAnswer(400, "the mask selects nothing", IMG2IMG, img2img("").replace(base64(mask),
                base64(new Picture(SIDE, SIDE, new byte[3 * SIDE * SIDE]))));
        assertAnswer(400, "no upscaler of that name; use Latent or Lanczos", TXT2IMG,
                "{\"prompt\":\"a\",\"enable_hr\":true,\"hr_upscaler\":\"ESRGAN_4x\"}");
        assertAnswer(400, "0.5 times as large", TXT2IMG, "{\"prompt\":\"a\",\"enable_hr\":true,\"hr_scale\":0.5}");
        assertAnswer(400, "is larger than the 40000 pixels", TXT2IMG,
                "{\"prompt\":\"a\",\"enable_hr\":true,\"hr_scale\":4}");
        assertAnswer(422, "hr_checkpoint_name", TXT2IMG,
                "{\"prompt\":\"a\",\"enable_hr\":true,\"hr_checkpoint_name\":\"x\"}");
        assertAnswer(422, "--control-dir", TXT2IMG, "{\"prompt\":\"a\",\"alwayson_scripts\":{\"controlnet\":{\"args\":"
                + "[{\"model\":\"canny\",\"image\":\"" + base64(init) + "\"}]}}}");
        assertAnswer(400, "are of a mask", "/api/v1/jobs", "{\"prompt\":\"a\",\"only_masked\":true}");
        assertAnswer(400, "multiples of 16; the nearest that works is 16,0,0,0", "/api/v1/jobs",
                "{\"prompt\":\"a\",\"outpaint\":\"9,0,0,0\",\"init\":\"" + base64(init) + "\"}");
        assertAnswer(400, "outpaint is '1,2'", "/api/v1/jobs",
                "{\"prompt\":\"a\",\"outpaint\":[1,2],\"init\":\"" + base64(init) + "\"}");
    }

    private static Picture job(String more) throws IOException, InterruptedException {
        JsonNode job = server.job("{\"prompt\":\"a blue star\",\"steps\":3,\"seed\":9" + more + "}");
        server.await(job.get("id").asText(), "completed");
        return picture(server.get("/api/v1/jobs/" + job.get("id").asText() + "/images/0.png").body());
    }

    @Test
    void jobs() throws IOException, InterruptedException {
        String pictures = ",\"width\":32,\"height\":32,\"strength\":0.75,\"init\":\"" + base64(init) + "\",\"mask\":\""
                + base64(mask) + "\"";
        assertThat(job(pictures + ",\"only_masked\":true,\"mask_blur\":2,\"mask_fill\":\"nothing\"").rgb()).isEqualTo(
                expected(new InpaintSettings(2, false, true, 32, MaskFill.NOTHING, false, null), 32, 32, 0.75).rgb());
        Picture larger = job(",\"outpaint\":[16,0,0,16],\"strength\":0.75,\"init\":\"" + base64(init) + "\"");
        assertThat(larger.rgb()).isEqualTo(expected(new InpaintSettings(4, false, false, 0, MaskFill.ORIGINAL, false,
                new Border(16, 0, 0, 16)), 64, 64, 0.75).rgb());
        String second = "\"width\":32,\"height\":32,\"hires\":1.5,\"hires_upscaler\":\"latent\"";
        assertThat(job("," + second).rgb()).isEqualTo(expected(builder -> builder.size(32, 32)
                .hires(new Hires(48, 48, 0.5, 0, Hires.Upscaler.LATENT))).rgb());
        JsonNode plan = node(server.post("/api/v1/plan", "{\"prompt\":\"\"," + second + "}"));
        assertThat(plan.at("/picture/width").asInt()).isEqualTo(48);
        // The text encoders take more than either pass at these sizes; there is a stage for each pass.
        JsonNode first = node(server.post("/api/v1/plan", "{\"prompt\":\"\",\"width\":32,\"height\":32}"));
        assertThat(plan.at("/memory/stages").size()).isEqualTo(first.at("/memory/stages").size() + 1);
    }

    /** Steps of both passes are counted together. */
    @Test
    void stepsOfBothPasses() throws IOException, InterruptedException {
        JsonNode job = server.job("{\"prompt\":\"a\",\"steps\":4,\"seed\":9,\"width\":32,\"height\":32,\"hires\":2}");
        List<String> steps = server.events("/api/v1/jobs/" + job.get("id").asText() + "/events").stream()
                .filter(event -> event.name().equals("step"))
                .map(event -> event.data().get("i").asInt() + "/" + event.data().get("n").asInt()).toList();
        assertThat(steps).containsExactly("1/6", "2/6", "3/6", "4/6", "5/6", "6/6");
    }

    /** In the first pass what is there is of its size, and says so. */
    @Test
    void interruptedInTheFirstPass() throws Exception {
        CompletableFuture<HttpResponse<byte[]>> answer = server.client.sendAsync(TestServer.json(server.request(TXT2IMG),
                "{\"prompt\":\"a\",\"width\":128,\"height\":128,\"steps\":400,\"seed\":1,\"enable_hr\":true,"
                + "\"hr_scale\":1.5}").build(), HttpResponse.BodyHandlers.ofByteArray());
        while (node(server.get("/sdapi/v1/progress")).at("/state/sampling_step").asInt() == 0) {
            Thread.onSpinWait();
        }
        server.post("/sdapi/v1/interrupt", "");
        JsonNode interrupted = node(answer.get());
        assertThat(picture(file(interrupted)).width()).isEqualTo(128);
        assertThat(interrupted.get("info").asText()).contains("Interrupted: after ").doesNotContain("Hires");
    }

    @Test
    void openAi() throws IOException, InterruptedException {
        String boundary = "part";
        StringBuilder body = new StringBuilder();
        for (Map.Entry<String, String> field : Map.of("prompt", "a blue star", "steps", "3", "seed", "9", "size",
                "32x32", "mask_blur", "2", "only_masked", "true", "strength", "0.75").entrySet()) {
            body.append("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + field.getKey() + "\"\r\n\r\n"
                    + field.getValue() + "\r\n");
        }
        byte[] head = body.toString().getBytes(StandardCharsets.UTF_8);
        HttpRequest.BodyPublisher all = HttpRequest.BodyPublishers.concat(
                HttpRequest.BodyPublishers.ofByteArray(head), part(boundary, "image", init),
                part(boundary, "mask", mask), HttpRequest.BodyPublishers.ofString("--" + boundary + "--\r\n"));
        JsonNode edited = node(server.send(server.request("/v1/images/edits").header("Content-Type",
                "multipart/form-data; boundary=" + boundary).POST(all)));
        assertThat(picture(Base64.getDecoder().decode(edited.at("/data/0/b64_json").asText())).rgb()).isEqualTo(
                expected(new InpaintSettings(2, false, true, 32, MaskFill.ORIGINAL, false, null), 32, 32, 0.75).rgb());
        JsonNode larger = node(server.post("/v1/images/generations", "{\"prompt\":\"a blue star\",\"steps\":3,"
                + "\"seed\":9,\"size\":\"32x32\",\"hires\":\"48x48\",\"hires_strength\":0.5}"));
        assertThat(picture(Base64.getDecoder().decode(larger.at("/data/0/b64_json").asText())).rgb()).isEqualTo(
                expected(builder -> builder.size(32, 32).hires(new Hires(48, 48, 0.5, 0, Hires.Upscaler.LANCZOS)))
                        .rgb());
    }

    private static HttpRequest.BodyPublisher part(String boundary, String name, Picture picture) {
        return HttpRequest.BodyPublishers.concat(HttpRequest.BodyPublishers.ofString("--" + boundary
                + "\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.png\"\r\n"
                + "Content-Type: image/png\r\n\r\n"), HttpRequest.BodyPublishers.ofByteArray(
                Png.encode(picture, Map.of())), HttpRequest.BodyPublishers.ofString("\r\n"));
    }
}
