package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.WebDriverWait;

/**
 * Debian's Chromium or another, without a window, that shows the page of a server. Without one these tests are skipped,
 * unless {@code -Djdiffusion.browser=required} is given.
 */
final class Chromium implements AutoCloseable {
    private static final boolean REQUIRED = "required".equals(System.getProperty("jdiffusion.browser"));
    private static final List<String> NAMES = List.of("chromium", "chromium-browser", "google-chrome");
    /** Beginnings of addresses at which nobody is asked for anything. */
    private static final List<String> OWN = List.of("data:", "about:", "chrome:");
    private static final Duration MOST = Duration.ofSeconds(60);
    private static final Duration LOOK = Duration.ofMillis(20);
    /** It says of each new Chromium that it knows only older ones. */
    private static final Logger SELENIUM = Logger.getLogger("org.openqa.selenium");
    private static final ObjectMapper JSON = new ObjectMapper();

    final ChromeDriver driver;
    private final URI server;

    /** @param profile an empty folder */
    Chromium(URI server, Path profile, String... more) {
        this.server = server;
        Path browser = NAMES.stream().map(Chromium::program).filter(found -> found != null).findFirst().orElse(null);
        Path control = program("chromedriver");
        need(browser != null && control != null, "no Chromium with its driver on the PATH; install chromium and"
                + " chromium-driver");
        SELENIUM.setLevel(Level.SEVERE);
        ChromeOptions options = new ChromeOptions();
        options.setBinary(browser.toFile());
        options.addArguments("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--window-size=1400,1000", "--user-data-dir=" + profile);
        options.addArguments(more);
        LoggingPreferences logs = new LoggingPreferences();
        logs.enable(LogType.BROWSER, Level.ALL);
        logs.enable(LogType.PERFORMANCE, Level.ALL);
        options.setCapability("goog:loggingPrefs", logs);
        driver = new ChromeDriver(new ChromeDriverService.Builder().usingDriverExecutable(control.toFile()).build(),
                options);
    }

    private static void need(boolean there, String otherwise) {
        if (!there && REQUIRED) {
            fail(otherwise);
        }
        assumeTrue(there, otherwise);
    }

    private static Path program(String name) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator)).map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable).findFirst().orElse(null);
    }

    /** Loads the page anew; settings of before are forgotten where that is said. */
    void open(String view, boolean forget) {
        driver.get("about:blank");
        if (forget) {
            driver.executeCdpCommand("Storage.clearDataForOrigin", Map.of("origin", server.toString(), "storageTypes",
                    "local_storage"));
        }
        driver.get(server.resolve("/" + view).toString());
        until("document.documentElement.dataset.ready");
    }

    Object js(String script, Object... arguments) {
        return driver.executeScript(script, arguments);
    }

    /** Waits for an expression to be true. */
    void until(String expression) {
        new WebDriverWait(driver, MOST, LOOK).withMessage(expression).until(_ -> js("return !!(" + expression + ")"))
                .equals(true);
    }

    WebElement find(String css) {
        return driver.findElement(By.cssSelector(css));
    }

    void click(String css) {
        find(css).click();
    }

    /** The button with this text in a part of the page. */
    WebElement button(String css, String text) {
        return find(css).findElements(By.cssSelector("button")).stream().filter(one -> one.getText().equals(text))
                .findFirst().orElseThrow(() -> new AssertionError("no button " + text + " in " + css));
    }

    /** Types over what is in a field. */
    void type(String css, String text) {
        find(css).sendKeys(Keys.chord(Keys.CONTROL, "a"), text);
    }

    String value(String css) {
        return find(css).getDomProperty("value");
    }

    /** Read at once: a page may put another element in the place of one that was found. */
    String text(String css) {
        return (String) js("return document.querySelector(arguments[0]).textContent", css);
    }

    boolean isShown(String css) {
        return find(css).isDisplayed();
    }

    /** The bytes of a picture that the page shows. */
    byte[] picture(String css) {
        Object text = driver.executeAsyncScript("const [image, done] = arguments;"
                + "fetch(image.src).then(r => r.blob()).then(blob => { const reader = new FileReader();"
                + "reader.onload = () => done(reader.result); reader.readAsDataURL(blob); })", find(css));
        return Base64.getDecoder().decode(text.toString().split(",")[1]);
    }

    /** Lets go of a file over the page, as if it came from a folder. */
    void drop(byte[] file, String name) {
        js("const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));"
                + "const dataTransfer = new DataTransfer();"
                + "dataTransfer.items.add(new File([bytes], arguments[1], {type: 'image/png'}));"
                + "for (const type of ['dragenter', 'dragover', 'drop']) {"
                + "document.body.dispatchEvent(new DragEvent(type, {dataTransfer, bubbles: true, cancelable: true}));"
                + "}",
                Base64.getEncoder().encodeToString(file), name);
    }

    /** Shows the page as somebody wants it who prefers dark, or light. */
    void prefer(String scheme) {
        driver.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features",
                List.of(Map.of("name", "prefers-color-scheme", "value", scheme),
                        Map.of("name", "prefers-reduced-motion", "value", "reduce"))));
    }

    /** Nothing went wrong in the page, and nothing was asked of any other host. */
    void checkLogs(String... expected) throws IOException {
        List<String> wrong = new ArrayList<>();
        for (LogEntry entry : driver.manage().logs().get(LogType.BROWSER)) {
            if (Stream.of(expected).noneMatch(entry.getMessage()::contains)) {
                wrong.add(entry.toString());
            }
        }
        assertThat(wrong).isEmpty();
        for (LogEntry entry : driver.manage().logs().get(LogType.PERFORMANCE)) {
            JsonNode message = JSON.readTree(entry.getMessage()).get("message");
            if (message.get("method").asText().equals("Network.requestWillBeSent")) {
                String url = message.at("/params/request/url").asText();
                assertThat(url).matches(one -> OWN.stream().anyMatch(one::startsWith)
                        || one.startsWith(server.toString()) || one.startsWith("blob:" + server), "of this server");
            }
        }
    }

    @Override
    public void close() {
        driver.quit();
    }
}
