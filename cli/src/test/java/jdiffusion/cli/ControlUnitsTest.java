package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.server.Server;
import jdiffusion.server.ServerSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ControlNet's units of AUTOMATIC1111's interface against {@code generate --control-net}. */
class ControlUnitsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private static String unit(String more) {
        return "{\"prompt\":\"a cat\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":42,\"alwayson_scripts\":"
                + "{\"ControlNet\":{\"args\":[{\"enabled\":false,\"model\":\"x\"},{" + more + "}]}}}";
    }

    @Test
    void unitsNameAFileOfTheFolder() throws IOException, InterruptedException {
        Path nets = Files.createDirectory(folder.resolve("nets"));
        ControlOptionsTest.net(nets);
        Path edges = Cli.picture(folder.resolve("edges.png"), 80, 64);
        String image = "\"image\":\"" + Base64.getEncoder().encodeToString(Files.readAllBytes(edges)) + "\"";
        Path out = folder.resolve("out.png");
        Cli run = Cli.run("generate", "a cat", "-W", 64, "-H", 64, "--steps", 2, "--control-net",
                nets.resolve("net_canny.safetensors"), "--control-image", edges, "--control-strength", 0.5,
                "--control-end", 0.6, "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        try (CpuBackend backend = new CpuBackend(2, Precision.F32);
                HttpClient client = HttpClient.newHttpClient()) {
            try (Server server = Server.start(ServerSettings.builder(backend, TestModel.SHAPES).controlFolder(nets)
                    .version(Version.line()).build())) {
                HttpRequest.Builder list = HttpRequest.newBuilder(server.address().resolve("/controlnet/model_list"));
                assertThat(client.send(list.build(), HttpResponse.BodyHandlers.ofString()).body())
                        .contains("{\"model_list\":[\"net_canny\"]}");
                JsonNode answer = post(client, server, 200, unit(image + ",\"module\":\"none\",\"model\":\"net_canny"
                        + " [0123456789]\",\"weight\":0.5,\"guidance_end\":0.6"));
                byte[] png = Base64.getDecoder().decode(answer.at("/images/0").asText());
                assertThat(PictureFile.read(png, "picture").rgb()).isEqualTo(Png.read(out).picture().rgb());
                assertThat(controlNet(Png.texts(png, "picture").get("parameters"))).contains("net_canny", "0.6")
                        .isEqualTo(controlNet(Png.texts(out).get("parameters")));
                assertThat(post(client, server, 400, unit(image + ",\"model\":\"x\"")).toString())
                        .contains("there is no ControlNet 'x'; there are net_canny");
                assertThat(post(client, server, 422, unit(image + ",\"module\":\"depth_midas\",\"model\":\"net_canny\""))
                        .toString()).contains("depth_midas");
                assertThat(post(client, server, 400, unit("\"model\":\"net_canny\"")).toString())
                        .contains("has no image");
            }
        }
    }

    /** What a picture's text says of it. */
    private static String controlNet(String text) {
        return text.replaceAll("(?s).*?(ControlNet: .*?ControlNet image hash: \\w+).*", "$1");
    }

    private static JsonNode post(HttpClient client, Server server, int code, String body) throws IOException,
            InterruptedException {
        HttpResponse<String> answer = client.send(HttpRequest.newBuilder(server.address()
                .resolve("/sdapi/v1/txt2img")).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)).build(), HttpResponse.BodyHandlers.ofString());
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(code);
        return JSON.readTree(answer.body());
    }
}
