package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The camera's picture, redrawn by a model that says that it needs few steps. */
class WebcamTest {
    @TempDir
    private Path folder;
    private Path model;

    @BeforeEach
    void aFewStepModel() throws IOException {
        model = Files.createDirectory(folder.resolve("quick-shapes"));
        try (Stream<Path> files = Files.list(PageServer.shapes())) {
            for (Path file : files.toList()) {
                if (!file.endsWith("generation_config.json")) {
                    Files.createSymbolicLink(model.resolve(file.getFileName()), file);
                }
            }
        }
        String config = Files.readString(PageServer.shapes().resolve("generation_config.json"));
        Files.writeString(model.resolve("generation_config.json"), config
                .replace("\"num_inference_steps\": 20", "\"num_inference_steps\": 2")
                .replace("\"guidance_scale\": 4.0", "\"guidance_scale\": 1.0").replace(": 128", ": 64"));
    }

    /** JUnit would do it with a warning for each. */
    @AfterEach
    void removeLinks() throws IOException {
        try (Stream<Path> files = Files.list(model)) {
            for (Path file : files.filter(Files::isSymbolicLink).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void theCameraIsRedrawn() throws IOException {
        Path pictures = folder.resolve("pictures");
        try (PageServer server = new PageServer(model, pictures, List.of(), 0);
                Chromium page = new Chromium(server.address(), folder.resolve("profile"),
                        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")) {
            page.open("#webcam", true);
            assertThat(page.isShown("#webcam")).isTrue();
            page.type("#webcam-prompt", "a green circle");
            page.click("#webcam-start");
            page.js("window.seen = new Set(); const picture = document.getElementById('webcam-picture');"
                    + "new MutationObserver(() => seen.add(picture.src)).observe(picture, {attributes: true})");
            page.until("seen.size > 2");
            assertThat(page.find("#webcam-picture").getDomAttribute("alt")).isEqualTo("a green circle");
            assertThat(page.js("return document.getElementById('webcam-picture').naturalWidth")).isEqualTo(64L);
            assertThat(page.text("#webcam-rate")).isNotEmpty();
            page.click("#webcam-start");
            assertThat(page.js("return document.getElementById('webcam-video').srcObject")).isNull();
            page.checkLogs();
            // What the camera saw is kept nowhere.
            try (Stream<Path> files = Files.list(pictures)) {
                assertThat(files).isEmpty();
            }
        }
    }

    @Test
    void withoutACameraItSaysSo() throws IOException {
        try (PageServer server = new PageServer(model, null, List.of(), 0);
                Chromium page = new Chromium(server.address(), folder.resolve("profile"))) {
            page.open("#webcam", true);
            page.click("#webcam-start");
            page.until("document.getElementById('webcam-error').textContent");
            assertThat(page.text("#webcam-error")).contains("camera");
            assertThat(page.text("#webcam-start")).isEqualTo("Start");
            page.checkLogs();
        }
    }
}
