package jdiffusion.tensor;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** What a file really is, told by its first bytes, when it is not what its name says. */
public final class FileKind {
    /** As many bytes as are looked at. */
    public static final int START = 512;

    private static final Pattern PAGE = Pattern.compile("(?s)(<!--.*?-->|<\\?xml[^>]*>)?\\s*"
            + "<(!doctype\\s+html|html|head|body|error|script)\\b.*");
    private static final int SHOWN = 80;
    private static final Map<String, String> MAGIC = new LinkedHashMap<>();

    static {
        MAGIC.put("504b0304", "a ZIP archive, such as PyTorch writes (.ckpt, .pt, .bin): pickled files can run programs"
                + " and are not read; use the model's .safetensors or .gguf file");
        for (String protocol : new String[] {"02", "03", "04", "05"}) {
            MAGIC.put("80" + protocol, "a Python pickle, such as PyTorch writes (.ckpt, .pt, .bin), which can run"
                    + " programs and is not read; use the model's .safetensors or .gguf file");
        }
        MAGIC.put("47475546", "a GGUF file; give it a name that ends in .gguf");
        MAGIC.put("89504e47", "a PNG picture");
        MAGIC.put("ffd8ff", "a JPEG picture");
        MAGIC.put("1f8b", "a gzip archive; unpack it first");
        MAGIC.put("377abcaf", "a 7-Zip archive; unpack it first");
        MAGIC.put("52617221", "a RAR archive; unpack it first");
        MAGIC.put("28b52ffd", "a Zstandard archive; unpack it first");
        MAGIC.put("fd377a585a", "an xz archive; unpack it first");
        MAGIC.put("89484446", "an HDF5 file of Keras; use the model's .safetensors or .gguf file");
    }

    private FileKind() {
    }

    /** Whether these are the first bytes of a page of the web, or of a server's error in XML. */
    static boolean isPage(byte[] start) {
        String text = new String(PlainText.utf8(start), StandardCharsets.ISO_8859_1).strip();
        return text.startsWith("<") && PAGE.matcher(text.toLowerCase(Locale.ROOT)).matches();
    }

    /**
     * What a file of weights is instead, with what to do; null when its first bytes are none of the kinds known here.
     *
     * @param start the first bytes, up to {@link #START} of them
     */
    public static String of(byte[] start) {
        if (isPage(start)) {
            return "a web page, often a login or an error instead of the file; download the file itself";
        }
        String hex = HexFormat.of().formatHex(start);
        for (Map.Entry<String, String> magic : MAGIC.entrySet()) {
            if (hex.startsWith(magic.getKey())) {
                return magic.getValue();
            }
        }
        boolean zeros = start.length > 0;
        boolean text = start.length > 0;
        for (byte b : start) {
            zeros &= b == 0;
            text &= b >= ' ' && b <= '~' || b == '\n' || b == '\r' || b == '\t';
        }
        if (zeros) {
            return "nothing but zeros at its start, as a download that was broken off; download it again";
        }
        return !text ? null : "a text that begins with '" + InputException.shown(new String(start, 0,
                Math.min(start.length, SHOWN), StandardCharsets.US_ASCII).strip()) + "', maybe a server's answer"
                + " instead of the file; download the file itself";
    }
}
