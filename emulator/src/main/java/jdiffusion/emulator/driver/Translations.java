package jdiffusion.emulator.driver;

import java.lang.ref.SoftReference;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.PtxProgram;

/**
 * Translated modules by their text. What several devices load, at once or one after the other, is translated once, and
 * the JVM need not compile it again. A module with variables of its own is not shared, since their values and
 * addresses are the device's that loaded it.
 */
final class Translations {
    private static final Map<String, SoftReference<PtxProgram>> SHARED = new ConcurrentHashMap<>();

    private Translations() {
    }

    /**
     * The program of a PTX text.
     *
     * @throws PtxException as {@link PtxProgram#translate}
     */
    static PtxProgram of(String text) throws PtxException {
        String key = hash(text);
        SoftReference<PtxProgram> shared = SHARED.get(key);
        PtxProgram known = shared == null ? null : shared.get();
        if (known != null) {
            return known;
        }
        PtxProgram program = PtxProgram.translate(text, "module");
        if (!program.hasVariables()) {
            SHARED.put(key, new SoftReference<>(program));
        }
        return program;
    }

    private static String hash(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
