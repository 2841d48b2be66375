package jdiffusion.browser;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.Cookie;

/** A server that draws for those with a key. */
class LoginTest {
    @TempDir
    private Path folder;

    @Test
    void aKeyIsAskedForOnce() throws IOException {
        try (PageServer server = new PageServer(PageServer.shapes(), folder.resolve("pictures"), List.of("right"), 0);
                Chromium page = new Chromium(server.address(), folder.resolve("profile"))) {
            page.driver.get(server.address().toString());
            page.until("document.getElementById('login').open");
            page.type("#key", "wrong");
            page.click("#login-form button");
            page.until("document.getElementById('login-error').textContent");
            assertThat(page.text("#login-error")).contains("not one of this server's");
            page.type("#key", "right");
            page.click("#login-form button");
            page.until("document.documentElement.dataset.ready");
            Cookie cookie = page.driver.manage().getCookies().iterator().next();
            assertThat(cookie.isHttpOnly()).isTrue();
            assertThat(cookie.getSameSite()).isEqualTo("Strict");
            assertThat(cookie.getValue()).doesNotContain("right");
            assertThat(page.js("return document.cookie")).isEqualTo("");
            page.type("#prompt", "a star");
            page.type("#width", "32");
            page.type("#height", "32");
            page.type("#field-steps", "2");
            page.click("#submit");
            page.until("!document.getElementById('done').hidden");
            page.until("document.getElementById('picture').naturalWidth === 32");
            page.open("", false);
            page.click("#logout");
            page.until("document.getElementById('login').open");
            page.checkLogs("status of 401");
        }
    }
}
