package jdiffusion.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import org.eclipse.jetty.http.HttpCookie;
import org.eclipse.jetty.server.Request;

/**
 * A browser's login with a key. It gets a cookie, since neither its event streams nor its pictures are asked for with
 * headers of a page's own; scripts cannot read it, and no other site's page sends it.
 */
public record Login(Access access) implements Api {
    public static final String PATH = "/api/v1/login";
    /** A header that the page's requests have. */
    static final String OF_PAGE = "X-Jdiffusion-Page";
    private static final String COOKIE = "jdiffusion_login";
    private static final Duration KEPT = Duration.ofDays(90);

    /** The token of a request; null for none. */
    static String token(Request request) {
        return Request.getCookies(request).stream().filter(cookie -> cookie.getName().equals(COOKIE))
                .map(HttpCookie::getValue).findFirst().orElse(null);
    }

    @Override
    public String name() {
        return "login";
    }

    @Override
    public String prefix() {
        return PATH;
    }

    @Override
    public ObjectNode error(HttpError error) {
        ObjectNode body = Json.object();
        body.putObject("error").put("message", error.getMessage()).put("code", error.code())
                .put("field", error.parameter());
        return body;
    }

    @Override
    public void addTo(Routes routes) {
        routes.add("POST", PATH, exchange -> {
            JsonNode key = exchange.json().get("key");
            if (key == null || !key.isTextual()) {
                throw HttpError.badField("key", "key must be one of this server's API keys");
            }
            answer(exchange, access.login(key.textValue()), KEPT);
        });
        routes.add("DELETE", PATH, exchange -> answer(exchange, "", Duration.ZERO));
    }

    private static void answer(Exchange exchange, String token, Duration kept) throws IOException {
        boolean encrypted = "https".equalsIgnoreCase(exchange.header("X-Forwarded-Proto"));
        exchange.setHeader("Set-Cookie", COOKIE + "=" + token + "; Path=/; Max-Age=" + kept.toSeconds()
                + "; HttpOnly; SameSite=Strict" + (encrypted ? "; Secure" : ""));
        exchange.empty(204);
    }
}
