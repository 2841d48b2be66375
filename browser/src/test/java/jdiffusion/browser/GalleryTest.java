package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;

/** The history, which is in files alone, and comparing. */
class GalleryTest {
    private static final int COUNT = 30;

    @TempDir
    static Path folder;
    private static Path pictures;
    private static PageServer server;
    private static Chromium page;

    @BeforeAll
    static void start() throws IOException {
        pictures = Files.createDirectory(folder.resolve("pictures"));
        // As another run of the server has left them: with the seed as colour.
        for (int i = 1; i <= COUNT; i++) {
            byte[] rgb = new byte[3 * 32 * 32];
            for (int k = 0; k < rgb.length; k += 3) {
                rgb[k] = (byte) (8 * i);
                rgb[k + 1] = (byte) (255 - 8 * i);
            }
            String text = "number " + i + "\nSteps: " + i + ", Sampler: Euler, CFG scale: 4, Seed: " + i
                    + ", Size: 32x32";
            Files.write(pictures.resolve(String.format("%05d-%d.png", i, i)),
                    Png.encode(new Picture(32, 32, rgb), Map.of(Infotext.KEYWORD, text)));
        }
        server = new PageServer(PageServer.shapes(), pictures, List.of(), 0);
        page = new Chromium(server.address(), folder.resolve("profile"));
    }

    @AfterAll
    static void stop() {
        if (page != null) {
            page.close();
        }
        server.close();
    }

    @AfterEach
    void nothingWentWrong() throws IOException {
        page.checkLogs("ERR_CONNECTION_REFUSED");
    }

    private static long files() throws IOException {
        try (Stream<Path> all = Files.list(pictures)) {
            return all.filter(file -> file.toString().endsWith(".png")).count();
        }
    }

    @Test
    void picturesByPagesTheirSettingsAndTheirDeletion() throws IOException {
        page.open("#gallery", true);
        page.until("document.querySelectorAll('#pictures li').length === 24");
        assertThat(page.find("#pictures img").getDomAttribute("alt")).isEqualTo("number " + COUNT);
        page.click("#more");
        page.until("document.querySelectorAll('#pictures li').length === " + COUNT);
        assertThat(page.isShown("#more")).isFalse();
        page.find("#pictures li:nth-child(2) button").sendKeys(Keys.ENTER);
        page.until("document.getElementById('view-settings').textContent");
        assertThat(page.text("#view-settings")).contains("steps" + (COUNT - 1)).contains("seed" + (COUNT - 1));
        page.button("#view-actions", "Use these settings").click();
        page.until("!document.getElementById('draw').hidden");
        assertThat(page.value("#prompt")).isEqualTo("number " + (COUNT - 1));
        assertThat(page.value("#field-steps")).isEqualTo(Integer.toString(COUNT - 1));
        assertThat(page.value("#width")).isEqualTo("32");

        page.click("[href='#gallery']");
        page.click("#pictures li:last-child button");
        page.button("#view-actions", "Start from this picture").click();
        page.until("!document.getElementById('started').hidden");
        assertThat(page.text("#init-size")).isEqualTo("32 × 32");

        page.click("[href='#gallery']");
        page.click("#pictures li:last-child button");
        page.button("#view-actions", "Delete").click();
        page.until("document.getElementById('confirm').open");
        page.click("#confirm-no");
        assertThat(files()).isEqualTo(COUNT);
        page.button("#view-actions", "Delete").click();
        page.click("#confirm-yes");
        page.until("document.querySelectorAll('#pictures li').length === " + (COUNT - 1));
        assertThat(files()).isEqualTo(COUNT - 1);
        assertThat(Files.exists(pictures.resolve("00001-1.png"))).isFalse();
        // For the other tests.
        Files.write(pictures.resolve("00001-1.png"), Png.encode(new Picture(8, 8, new byte[192]), Map.of()));
    }

    @Test
    void aPictureIsThereAfterTheServerWasStartedAnew() throws IOException {
        page.open("", true);
        page.type("#prompt", "a small star");
        page.type("#width", "32");
        page.type("#height", "32");
        page.type("#field-steps", "2");
        page.type("#seed", "77");
        page.click("#submit");
        page.until("!document.getElementById('done').hidden && document.getElementById('running').hidden");
        page.until("document.getElementById('picture').naturalWidth === 32");
        Path file = pictures.resolve(String.format("%05d-77.png", COUNT + 1));
        assertThat(file).exists();
        int port = server.address().getPort();
        server.close();
        server = new PageServer(PageServer.shapes(), pictures, List.of(), port);
        page.open("#gallery", false);
        page.until("document.querySelectorAll('#pictures li').length === 24");
        assertThat(page.find("#pictures img").getDomAttribute("alt")).isEqualTo("a small star");
        page.until("document.querySelector('#pictures img').naturalWidth === 32");
        page.click("#pictures button");
        page.button("#view-actions", "Delete").click();
        page.click("#confirm-yes");
        page.until("!document.getElementById('view').open");
        assertThat(file).doesNotExist();
    }

    @Test
    void twoPicturesBesideEachOther() {
        page.open("#compare", true);
        page.until("document.querySelectorAll('#choices button').length === 24");
        page.click("#choices li:nth-child(1) button");
        assertThat(page.text("#compare-hint")).contains("choose another");
        page.find("#choices li:nth-child(3) button").sendKeys(Keys.SPACE);
        page.until("document.querySelector('#differences tbody').textContent");
        assertThat(page.text("#differences")).contains("steps" + COUNT + (COUNT - 2));
        assertThat(page.js("return document.querySelectorAll('#choices [aria-pressed=true]').length")).isEqualTo(2L);
        String clip = "return getComputedStyle(document.getElementById('compare-a')).clipPath";
        page.find("#compare-at").sendKeys(Keys.HOME);
        assertThat(page.js(clip)).isEqualTo("inset(0px 100% 0px 0px)");
        page.find("#compare-at").sendKeys(Keys.ARROW_RIGHT);
        assertThat(page.js(clip)).isEqualTo("inset(0px 99% 0px 0px)");
        int width = page.find("#compare-at").getSize().width;
        new Actions(page.driver).moveToElement(page.find("#compare-at"), width / 4, 0).click().perform();
        assertThat(Integer.parseInt(page.value("#compare-at"))).isBetween(70, 80);
    }
}
