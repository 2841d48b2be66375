package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.Dimension;

/** axe-core finds nothing in any view or dialog, dark or light, wide or narrow. */
class AccessibilityTest {
    private static final Path AXE = PageServer.ofRepository("server/src/test/npm/node_modules/axe-core/axe.min.js");

    @TempDir
    static Path folder;
    private static PageServer server;
    private static Chromium page;
    private static String axe;
    private static boolean isNarrow;

    @BeforeAll
    static void start() throws IOException {
        if (!Files.exists(AXE) && "required".equals(System.getProperty("jdiffusion.browser"))) {
            fail("axe-core is not there");
        }
        assumeTrue(Files.exists(AXE), "axe-core is not there: run npm ci --ignore-scripts in server/src/test/npm");
        axe = Files.readString(AXE);
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        for (int i = 1; i < 4; i++) {
            String text = "number " + i + "\nNegative prompt: red\nSteps: 3, Sampler: Euler, CFG scale: 4, Seed: " + i
                    + ", Size: 32x32";
            Files.write(pictures.resolve("0000" + i + "-" + i + ".png"),
                    Png.encode(new Picture(32, 32, new byte[3 * 32 * 32]), Map.of(Infotext.KEYWORD, text)));
        }
        server = new PageServer(PageServer.shapes(), pictures, List.of(), 0);
        page = new Chromium(server.address(), folder.resolve("profile"));
    }

    @AfterAll
    static void stop() {
        if (page != null) {
            page.close();
        }
        if (server != null) {
            server.close();
        }
    }

    /** Looks at what is shown, dark and light; narrow it has the same colours. */
    private static void check(String what) {
        for (String scheme : isNarrow ? List.of("light") : List.of("dark", "light")) {
            page.prefer(scheme);
            Object violations = page.driver.executeAsyncScript("const done = arguments[arguments.length - 1];"
                    + "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
                    + "'best-practice']}).then(r => done(r.violations.map(v => v.id + ': '"
                    + "+ v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))), e => done([String(e)]))");
            assertThat((List<?>) violations).as(what + ", " + scheme).isEmpty();
        }
    }

    private static void open(String view) {
        page.open(view, true);
        // Through the driver, which no policy of the page binds.
        page.driver.executeScript(axe);
    }

    @Test
    void everyViewAndDialog() {
        for (int width : List.of(1400, 420)) {
            isNarrow = width < 1000;
            page.driver.manage().window().setSize(new Dimension(width, 1000));
            open("");
            page.js("document.querySelectorAll('details').forEach(one => one.open = true)");
            check("form");
            page.type("#prompt", "a star");
            page.type("#width", "32");
            page.type("#height", "32");
            page.type("#field-steps", "4");
            page.click("#submit");
            page.until("!document.getElementById('done').hidden && document.getElementById('running').hidden");
            check("a picture");
            page.js("document.getElementById('running').hidden = false;"
                    + "document.getElementById('bar-label').textContent = 'Drawing, step 1 of 4'");
            check("at work");
            page.type("#width", "100");
            page.click("#submit");
            page.until("document.querySelector('[data-field=width] .error')");
            check("an error");
            page.button("#actions", "Start from this picture").click();
            page.until("!document.getElementById('started').hidden");
            check("a picture to start from");
            // Not by the mouse: the form may still move, when the memory plan comes.
            page.js("document.getElementById('mask-open').click()");
            page.until("document.getElementById('mask').open");
            check("mask");
            page.click("#mask-cancel");
            page.button("#actions", "Delete").click();
            check("question");
            page.click("#confirm-no");
            page.click("[href='#gallery']");
            page.until("document.querySelector('#pictures button')");
            check("gallery");
            page.click("#pictures button");
            page.until("document.getElementById('view-settings').textContent");
            check("large");
            page.button("#view-actions", "Compare").click();
            page.click("#choices li:nth-child(2) button");
            page.until("document.querySelector('#differences tbody').textContent");
            check("compare");
            page.js("document.getElementById('compare').hidden = true;"
                    + "document.getElementById('webcam').hidden = false");
            check("webcam");
            page.js("document.getElementById('login').showModal()");
            check("login");
            page.js("document.getElementById('login').close(); document.getElementById('found').showModal()");
            check("found");
        }
        assertThat((long) page.js("return document.documentElement.scrollWidth - innerWidth")).isNotPositive();
    }
}
