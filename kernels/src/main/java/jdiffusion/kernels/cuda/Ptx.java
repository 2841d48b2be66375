package jdiffusion.kernels.cuda;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.Deflater;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** PTX as the program carries it: {@linkplain PtxPacking packed} and compressed by gzip, to a fifteenth. */
final class Ptx {
    /** Of the names of compressed PTX. */
    static final String ENDING = ".ptx.gz";
    private static final Pattern HASH = Pattern.compile("^// sources and options: ([0-9a-f]{64})$", Pattern.MULTILINE);

    private Ptx() {
    }

    /** A compiler's output as of {@link Architecture#ptxVersion}, without hints that came later and its own remarks. */
    static String portable(String compiled, Architecture architecture) {
        return compiled.lines()
                .filter(line -> !line.strip().startsWith("//")
                        && !line.strip().startsWith(".pragma \"used_bytes_mask"))
                .map(line -> line.startsWith(".version ") ? ".version " + architecture.ptxVersion() : line)
                .collect(Collectors.joining("\n", "", "\n")).stripLeading();
    }

    /** Marks PTX with what it was compiled from and by. */
    static String marked(String ptx, CuSource source, String compiler) {
        return "// " + source.file() + ".cu, compiled; do not edit\n// sources and options: " + source.hash()
                + "\n// compiler: " + compiler + "\n" + ptx;
    }

    /** The hash of the sources that it was compiled from; empty when it is not marked. */
    static String hash(String marked) {
        Matcher matcher = HASH.matcher(marked);
        return matcher.find() ? matcher.group(1) : "";
    }

    /** SHA-256 of a text, in hexadecimal. */
    static String sha256(String ptx) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256")
                    .digest(ptx.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has SHA-256
        }
    }

    static byte[] compressed(String ptx) throws IOException {
        return compressed(PtxPacking.pack(ptx).getBytes(StandardCharsets.UTF_8));
    }

    static byte[] compressed(byte[] plain) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new Smallest(bytes)) {
            out.write(plain);
        }
        return bytes.toByteArray();
    }

    /** Compresses as well as gzip can: it is written once, and carried by everybody. */
    private static final class Smallest extends GZIPOutputStream {
        Smallest(ByteArrayOutputStream out) throws IOException {
            super(out);
            def.setLevel(Deflater.BEST_COMPRESSION);
        }
    }

    /** The text that was {@linkplain #compressed compressed}. */
    static String text(byte[] compressed) throws IOException {
        return PtxPacking.unpack(new String(bytes(compressed), StandardCharsets.UTF_8));
    }

    /** What was compressed. */
    static byte[] bytes(byte[] compressed) throws IOException {
        try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(compressed))) {
            return in.readAllBytes();
        }
    }
}
