package jdiffusion.server.http;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Who may ask. A page of another site that a browser shows can reach a server on the same machine, by a name of its own
 * that it lets point here (DNS rebinding) or by forms; so names and origins are checked, and nothing is allowed across
 * origins.
 *
 * @param hosts names by which the server may be called, beside localhost and plain addresses; in lower case
 * @param keys  one of which a client must have; empty for none
 */
public record Access(List<String> hosts, List<String> keys) {
    private static final Pattern IPV4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");
    private static final Pattern AUTHORITY = Pattern.compile("(\\[[0-9a-fA-F:.]+\\]|[\\w.-]+)(:\\d{1,5})?");
    private static final int SHOWN_DIGITS = 8;
    /** What a login's token is the code of, under the key. */
    private static final byte[] LOGIN = "jdiffusion login".getBytes(StandardCharsets.UTF_8);

    public Access {
        hosts = hosts.stream().map(host -> host.toLowerCase(Locale.ROOT)).toList();
        keys = List.copyOf(keys);
    }

    /**
     * Fails when a browser was led here by another site.
     *
     * @param host   as the request has it
     * @param origin as the request has it; null for none
     */
    void check(String host, String origin) {
        if (host == null || !AUTHORITY.matcher(host).matches()) {
            throw HttpError.badRequest("the request's Host is missing or is no host");
        }
        String name = host.replaceFirst(":\\d+$", "").toLowerCase(Locale.ROOT);
        boolean own = name.startsWith("[") || IPV4.matcher(name).matches() || name.equals("localhost")
                || name.endsWith(".localhost") || hosts.contains(name) || hosts.contains("*");
        if (!own) {
            throw new HttpError(HttpError.FORBIDDEN, "host_not_allowed", "this server is not to be called '" + name
                    + "'; start it with --allowed-host " + name);
        }
        if (origin != null && !origin.equalsIgnoreCase("http://" + host)
                && !origin.equalsIgnoreCase("https://" + host)) {
            throw new HttpError(HttpError.FORBIDDEN, "origin_not_allowed", "requests of other sites' pages are not"
                    + " answered");
        }
    }

    /**
     * The name under which a client's jobs are counted: its key's beginning of a hash, else its address.
     *
     * @param authorization the header, Bearer or Basic (of which the password is the key); null for none
     * @param token         of a browser that has logged in; null for none
     * @param needed        whether the route is for those with a key
     * @throws HttpError with 401 when a key is needed and is not given
     */
    String client(String authorization, String token, InetAddress address, boolean needed) {
        if (!keys.isEmpty()) {
            String given = authorization == null ? null : key(authorization);
            for (String key : keys) {
                if (given != null ? same(key, given) : token != null && same(token(key), token)) {
                    return "key " + hash(key);
                }
            }
            if (needed) {
                throw new HttpError(HttpError.UNAUTHORIZED, "invalid_api_key", given == null
                        ? "an API key is needed: send it as Authorization: Bearer KEY, or as the password of Basic"
                        : "the API key is not one of this server's");
            }
        }
        return address == null ? "unknown" : address.getHostAddress();
    }

    /**
     * What a browser keeps that was given a key; the key cannot be found from it. It holds as long as the key does, on
     * a server that was started anew, too.
     *
     * @throws HttpError with 401 when it is no key of this server
     */
    String login(String given) {
        for (String key : keys) {
            if (same(key, given)) {
                return token(key);
            }
        }
        throw new HttpError(HttpError.UNAUTHORIZED, "invalid_api_key", "the API key is not one of this server's");
    }

    private static boolean same(String one, String other) {
        return MessageDigest.isEqual(one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
    }

    private static String token(String key) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key.getBytes(StandardCharsets.UTF_8), mac.getAlgorithm()));
            return HexFormat.of().formatHex(mac.doFinal(LOGIN));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every JDK has HmacSHA256
        }
    }

    private static String key(String authorization) {
        String[] parts = authorization.strip().split("\\s+", 2);
        if (parts.length == 2 && parts[0].equalsIgnoreCase("Bearer")) {
            return parts[1];
        }
        if (parts.length == 2 && parts[0].equalsIgnoreCase("Basic")) {
            try {
                String pair = new String(Base64.getDecoder().decode(parts[1]), StandardCharsets.UTF_8);
                return pair.indexOf(':') < 0 ? "" : pair.substring(pair.indexOf(':') + 1);
            } catch (IllegalArgumentException e) {
                return "";
            }
        }
        return "";
    }

    private static String hash(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest).substring(0, SHOWN_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has SHA-256
        }
    }
}
