package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.interactions.Actions;

/** The form, the picture as it grows, pictures to start from, and masks. */
class DrawTest {
    private static final String DRAWN = "!document.getElementById('done').hidden"
            + " && document.getElementById('running').hidden";

    @TempDir
    static Path folder;
    private static PageServer server;
    private static Chromium page;

    @BeforeAll
    static void start() throws IOException {
        Path nets = Files.createDirectories(folder.resolve("nets"));
        Files.writeString(nets.resolve("canny.safetensors"), "no net");
        server = new PageServer(PageServer.shapes(), settings -> settings.controlFolder(nets));
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
        page.checkLogs("status of 400", "status of 422");
    }

    private static void draw(String prompt, int side, int steps, String seed) {
        page.type("#prompt", prompt);
        page.type("#width", Integer.toString(side));
        page.type("#height", Integer.toString(side));
        page.type("#field-steps", Integer.toString(steps));
        page.type("#seed", seed);
        page.click("#submit");
    }

    @Test
    void aPictureGrows() throws IOException {
        page.open("", true);
        page.js("window.shares = new Set(); window.previews = new Set();"
                + "new MutationObserver(() => { shares.add(bar.value); previews.add(picture.src.slice(0, 15)); })"
                + ".observe(document.getElementById('stage'), {attributes: true, subtree: true, childList: true});");
        draw("a large yellow star", 128, 20, "18446744073709551615");
        page.until(DRAWN);
        assertThat((long) page.js("return shares.size")).isGreaterThan(5);
        assertThat((List<?>) page.js("return [...previews]")).anyMatch(one -> one.equals("data:image/png;"));
        assertThat((long) page.js("return document.querySelectorAll('#film li').length")).isGreaterThan(1);
        byte[] png = page.picture("#picture");
        Infotext text = Infotext.parse(Png.texts(png, "picture").get(Infotext.KEYWORD));
        assertThat(text.prompt()).isEqualTo("a large yellow star");
        assertThat(text.fields()).containsEntry("Seed", "18446744073709551615").containsEntry("Steps", "20")
                .containsEntry("Size", "128x128");
        assertThat(page.find("#picture").getDomAttribute("alt")).isEqualTo("a large yellow star");
        assertThat(page.text("#live")).isEqualTo("A picture is there.");
        Picture picture = PictureFile.read(png, "picture");
        assertThat(picture.width()).isEqualTo(128);
        // What was asked for is still there when the page is loaded anew.
        page.open("", false);
        assertThat(page.value("#prompt")).isEqualTo("a large yellow star");
        assertThat(page.value("#field-steps")).isEqualTo("20");
        assertThat(page.value("#seed")).isEqualTo("18446744073709551615");
    }

    @Test
    void severalWaitAndAreCancelled() {
        page.open("", true);
        draw("the first", 128, 200, "1");
        page.until("document.getElementById('bar').value > 0");
        page.click("#submit");
        page.until("document.querySelectorAll('#waiting li').length === 1");
        page.click("#submit");
        page.until("document.querySelectorAll('#waiting li').length === 2");
        // A page that is loaded anew finds its jobs again.
        page.open("", false);
        page.until("document.getElementById('bar').value > 0");
        page.until("document.querySelectorAll('#waiting li').length === 2");
        page.button("#waiting", "Cancel").click();
        page.until("document.querySelectorAll('#waiting li').length === 1");
        page.button("#waiting", "Cancel").click();
        page.until("document.getElementById('queue').hidden");
        page.click("#cancel");
        page.until("document.getElementById('running').hidden");
        assertThat(page.text("#notes")).contains("Cancelled.");
        assertThat(page.isShown("#done")).isFalse();
    }

    @Test
    void withoutAModelOfFewStepsNoWebcamIsOffered() {
        page.open("#webcam", true);
        assertThat(page.isShown("nav [href='#webcam']")).isFalse();
        assertThat(page.isShown("#draw")).isTrue();
    }

    @Test
    void theServersErrorsStandBesideTheirFields() {
        page.open("", true);
        page.type("#width", "100");
        page.type("#prompt", "a star");
        page.click("#submit");
        page.until("document.querySelector('[data-field=width] .error')");
        assertThat(page.text("[data-field=width] .error")).contains("96x128 and 112x128");
        WebElement width = page.find("#width");
        assertThat(width.getDomAttribute("aria-invalid")).isEqualTo("true");
        assertThat(width.getDomAttribute("aria-describedby")).isEqualTo("width-error");
        assertThat(page.driver.switchTo().activeElement()).isEqualTo(width);
        page.driver.executeScript("document.getElementById('plan-words').textContent = ''");
        page.type("#width", "128");
        page.until("!document.querySelector('.field .error')");
        assertThat(width.getDomAttribute("aria-invalid")).isNull();
        page.until("!document.getElementById('plan').hidden && document.getElementById('plan-words').textContent");
        assertThat(page.text("#plan-words")).matches("(?s)Takes .* MiB of memory at most .*");
    }

    @Test
    void settingsComeOutOfADroppedPicture() throws IOException {
        page.open("", true);
        String parameters = "a red square\nNegative prompt: blurry\nSteps: 7, Sampler: DPM++ 2M Karras, CFG scale: 3.5,"
                + " Seed: 18446744073709551614, Size: 96x64, Model: other";
        byte[] png = Png.encode(new Picture(16, 16, new byte[3 * 256]), Map.of(Infotext.KEYWORD, parameters));
        page.drop(png, "a.png");
        page.until("document.getElementById('found').open");
        assertThat(page.text("#found-words")).contains("a red square", "7 steps", "18446744073709551614");
        assertThat(page.text("#found-notes")).contains("the model other, which is not served here");
        page.click("#found-settings");
        assertThat(page.value("#prompt")).isEqualTo("a red square");
        assertThat(page.value("#negative_prompt")).isEqualTo("blurry");
        assertThat(page.value("#field-steps")).isEqualTo("7");
        assertThat(page.value("#field-guidance")).isEqualTo("3.5");
        assertThat(page.value("#field-sampler")).isEqualTo("dpmpp_2m");
        assertThat(page.value("#field-scheduler")).isEqualTo("karras");
        assertThat(page.value("#width")).isEqualTo("96");
        assertThat(page.value("#height")).isEqualTo("64");
        assertThat(page.value("#seed")).isEqualTo("18446744073709551614");
        // The same from a file that is chosen; one without settings says so.
        Path file = Files.write(folder.resolve("plain.png"), Png.encode(new Picture(16, 16, new byte[768]), Map.of()));
        page.find("#from").sendKeys(file.toString());
        page.until("document.getElementById('form-error').textContent");
        assertThat(page.text("#form-error")).contains("the picture carries no settings").doesNotContain("/");
    }

    @Test
    void levelsAndSkippedLayersAreSentAndTakenOver() throws IOException {
        page.open("", true);
        page.js("document.querySelectorAll('#groups details').forEach(group => group.open = true)");
        page.type("#field-sigmas", "1, 0.7, 0.3");
        page.type("[id='field-skip_layers.layers']", "1");
        page.type("[id='field-skip_layers.scale']", "3");
        draw("a red square", 64, 3, "5");
        page.until(DRAWN);
        byte[] png = page.picture("#picture");
        Infotext text = Infotext.parse(Png.texts(png, "picture").get(Infotext.KEYWORD));
        assertThat(text.fields().toString()).contains("0.7", "Skip layers=1").doesNotContain("Steps=28");
        // The same out of the picture.
        page.open("", true);
        page.drop(png, "a.png");
        page.until("document.getElementById('found').open");
        page.click("#found-settings");
        assertThat(page.value("#field-sigmas")).isEqualTo("1, 0.7, 0.3");
        assertThat(page.value("[id='field-skip_layers.layers']")).isEqualTo("1");
        assertThat(page.value("[id='field-skip_layers.scale']")).isEqualTo("3");
    }

    @Test
    void aBorderMakesThePictureLarger() throws IOException {
        page.open("", true);
        page.drop(Png.encode(new Picture(128, 128, new byte[3 * 128 * 128]), Map.of()), "black.png");
        page.until("document.getElementById('found').open");
        page.click("#found-start");
        page.until("!document.getElementById('started').hidden");
        page.type("#field-outpaint", "128,0,0,0");
        page.js("document.getElementById('field-outpaint').dispatchEvent(new Event('change', {bubbles: true}))");
        double shape = Double.parseDouble(page.value("#width")) / Double.parseDouble(page.value("#height"));
        assertThat(shape).isBetween(1.8, 2.2);
        page.type("#field-outpaint", "wide");
        page.click("#submit");
        page.until("document.querySelector('[data-field=outpaint] .error')");
        assertThat(page.text("[data-field=outpaint] .error")).contains("64,0,64,0");
    }

    @Test
    void aPlanLeavesWhatIsSaidOfASubmissionAlone() {
        page.open("", true);
        page.js("const plain = window.fetch, timer = window.setTimeout; window.fetch = (url, options) =>"
                + " !String(url).endsWith('/plan') ? plain(url, options) : new Promise((ok, no) => { window.answer = ()"
                + " => plain(url, options).then(ok, no).then(() => timer(() => { window.answered = true; }, 100)); });");
        page.type("#width", "256");
        page.until("window.answer");
        page.js("window.setTimeout = (work, millis) => 0");
        page.type("#width", "100");
        page.type("#prompt", "a star");
        page.click("#submit");
        page.until("document.querySelector('[data-field=width] .error')");
        page.js("window.answer()");
        page.until("window.answered");
        assertThat(page.text("[data-field=width] .error")).contains("96x128 and 112x128");
    }

    @Test
    void aControlNetGetsItsPicture() throws IOException {
        page.open("", true);
        assertThat(page.isShown("#control-group")).isTrue();
        assertThat(page.isShown("[data-field='control.strength']")).isFalse();
        Path lines = Files.write(folder.resolve("lines.png"), Png.encode(new Picture(16, 16, new byte[768]), Map.of()));
        page.find("#control").sendKeys(lines.toString());
        page.until("!document.getElementById('controlled').hidden");
        page.type("[id='field-control.strength']", "0.5");
        page.type("#prompt", "a star");
        page.click("#submit");
        // What was sent is read as a net of that name.
        page.until("document.getElementById('form-error').textContent || document.querySelector('.field .error')");
        assertThat(page.text("#form")).contains("canny");
        page.click("#control-remove");
        assertThat(page.isShown("[data-field='control.strength']")).isFalse();
    }

    /** Draws what a mask of a corner asks for, and gives how far both parts are from the picture before. */
    private static void checkOnlyThereIsDrawn(Picture before) {
        page.type("#prompt", "a large red circle");
        page.type("#field-strength", "1");
        page.type("#field-steps", "10");
        page.type("#seed", "3");
        page.js("document.getElementById('done').hidden = true");
        page.click("#submit");
        page.until(DRAWN);
        Picture after = PictureFile.read(page.picture("#picture"), "after");
        assertThat(after.width()).isEqualTo(before.width());
        double inside = distance(before, after, 8, 8, 56, 56);
        double outside = distance(before, after, 80, 80, 128, 128);
        assertThat(outside).isLessThan(8);
        assertThat(inside).isGreaterThan(5 * outside);
    }

    /** Mean difference of all values in a part. */
    private static double distance(Picture one, Picture other, int left, int top, int right, int bottom) {
        long sum = 0;
        for (int y = top; y < bottom; y++) {
            for (int x = 3 * left; x < 3 * right; x++) {
                int i = 3 * y * one.width() + x;
                sum += Math.abs((one.rgb()[i] & 0xff) - (other.rgb()[i] & 0xff));
            }
        }
        return sum / (3.0 * (right - left) * (bottom - top));
    }

    private static Picture startFromBlue() {
        // The blue that this model's VAE knows.
        byte[] rgb = new byte[3 * 128 * 128];
        for (int i = 0; i < rgb.length; i += 3) {
            rgb[i] = 37;
            rgb[i + 1] = 83;
            rgb[i + 2] = (byte) 220;
        }
        Picture blue = new Picture(128, 128, rgb);
        page.open("", true);
        page.drop(Png.encode(blue, Map.of()), "blue.png");
        page.until("document.getElementById('found').open");
        page.click("#found-start");
        page.until("!document.getElementById('started').hidden");
        page.click("#mask-open");
        page.until("document.getElementById('mask').open && document.getElementById('mask-canvas').clientWidth > 100");
        return blue;
    }

    @Test
    void aMaskIsPaintedWithTheMouse() {
        Picture before = startFromBlue();
        WebElement canvas = page.find("#mask-canvas");
        int width = canvas.getSize().width;
        // A brush as wide as half the picture, at a quarter of both sides.
        page.js("const brush = document.getElementById('brush'); brush.value = 50;"
                + "brush.dispatchEvent(new Event('input', {bubbles: true}))");
        new Actions(page.driver).moveToElement(canvas, -width / 4, -width / 4).clickAndHold()
                .moveByOffset(3, 3).moveByOffset(-6, -6).release().perform();
        assertThat(page.text("#mask-live")).matches("(19|2\\d) % covered.*");
        page.button("#mask", "Invert").click();
        assertThat(page.text("#mask-live")).matches("inverted, (7\\d|8[01]) % covered.*");
        page.button("#mask", "Undo").click();
        page.button("#mask", "Undo").click();
        assertThat(page.text("#mask-live")).startsWith("undone, 0 % covered");
        assertThat(page.find("#mask-undo").isEnabled()).isFalse();
        page.button("#mask", "Redo").click();
        assertThat(page.text("#mask-live")).matches("done again, (19|2\\d) % covered.*");
        page.click("#mask-use");
        assertThat(page.text("#mask-state")).contains("Only what the mask covers");
        checkOnlyThereIsDrawn(before);
    }

    @Test
    void aMaskIsPaintedWithTheKeyboard() {
        Picture before = startFromBlue();
        WebElement canvas = page.find("#mask-canvas");
        assertThat(page.driver.switchTo().activeElement()).isEqualTo(canvas);
        // From the middle to a quarter of both sides, with a wider brush.
        canvas.sendKeys(Keys.chord(Keys.SHIFT, Keys.ARROW_LEFT), Keys.chord(Keys.SHIFT, Keys.ARROW_LEFT),
                Keys.chord(Keys.SHIFT, Keys.ARROW_UP), Keys.chord(Keys.SHIFT, Keys.ARROW_UP));
        canvas.sendKeys("]".repeat(11), " ");
        assertThat(page.text("#mask-live")).matches("(19|2\\d) % covered, brush at 25 % across, 25 % down");
        canvas.sendKeys(Keys.chord(Keys.CONTROL, "z"));
        assertThat(page.text("#mask-live")).startsWith("undone, 0 % covered");
        canvas.sendKeys(Keys.chord(Keys.CONTROL, "y"));
        assertThat(page.text("#mask-live")).startsWith("done again, ");
        canvas.sendKeys(Keys.TAB);
        assertThat(page.driver.switchTo().activeElement().getDomAttribute("id")).isEqualTo("mask-cancel");
        page.driver.switchTo().activeElement().sendKeys(Keys.TAB);
        page.driver.switchTo().activeElement().sendKeys(Keys.ENTER);
        page.until("!document.getElementById('mask').open");
        checkOnlyThereIsDrawn(before);
    }

    @Test
    void allByKeyboard() {
        page.open("", true);
        WebElement body = page.find("body");
        body.sendKeys(Keys.TAB, Keys.ENTER);
        page.driver.switchTo().activeElement().sendKeys("a blue triangle");
        assertThat(page.value("#prompt")).isEqualTo("a blue triangle");
        page.type("#width", "32");
        page.type("#height", "32");
        page.type("#field-steps", "2");
        page.find("#field-steps").sendKeys(Keys.chord(Keys.CONTROL, Keys.ENTER));
        page.until(DRAWN);
        assertThat(page.text("#caption")).isEqualTo("a blue triangle");
        page.click("[href='#gallery']");
        page.until("document.querySelector('#pictures button')");
        page.find("#pictures button").sendKeys(Keys.ENTER);
        page.until("document.getElementById('view').open");
        page.driver.switchTo().activeElement().sendKeys(Keys.ESCAPE);
        page.until("!document.getElementById('view').open");
        assertThat(page.driver.switchTo().activeElement()).isEqualTo(page.find("#pictures button"));
    }
}
