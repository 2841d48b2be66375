package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.JsonTree;
import jdiffusion.model.image.Exif;
import jdiffusion.model.image.PngText;
import jdiffusion.tensor.InputFile;

/**
 * The texts of a picture's file by keyword: those of a PNG file, or what stands for them in an EXIF block.
 *
 * @param repeated the keyword of which the file has several different texts, the last of which counts; null for none
 */
record PictureTexts(Path file, Map<String, String> texts, String repeated) {
    static final String PARAMETERS = Infotext.KEYWORD;
    static final String SOFTWARE = "Software";
    static final String SCHEME = "fooocus_scheme";
    private static final byte PNG = (byte) 0x89;

    static PictureTexts of(Path file) {
        Map<String, String> texts = new LinkedHashMap<>();
        String repeated = null;
        if (isPng(file)) {
            for (PngText text : PngText.all(file)) {
                String plain = text.text().replaceAll("\0+$", "");
                String before = plain.isBlank() ? plain : texts.put(text.keyword(), plain);
                repeated = before == null || before.equals(plain) ? repeated : text.keyword();
            }
        }
        if (!texts.containsKey(PARAMETERS)) {
            Exif exif = Exif.of(file);
            put(texts, PARAMETERS, exif.userComment());
            put(texts, PARAMETERS, comment(exif.comment()));
            put(texts, SOFTWARE, exif.text(Exif.SOFTWARE));
            put(texts, SCHEME, exif.text(Exif.MAKER_NOTE));
            named(texts, exif.text(Exif.CAMERA));
            named(texts, exif.text(Exif.MAKE));
            named(texts, exif.text(Exif.DESCRIPTION));
        }
        return new PictureTexts(file, texts, repeated);
    }

    private static boolean isPng(Path file) {
        try (FileChannel channel = InputFile.open(file)) {
            ByteBuffer first = ByteBuffer.allocate(1);
            return channel.read(first, 0) == 1 && first.get(0) == PNG;
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
    }

    /** JPEG's comment where it is of stable-diffusion.cpp, with the keyword before it, or looks like such a text. */
    private static String comment(String text) {
        if (text == null || text.startsWith(PARAMETERS + "\0")) {
            return text == null ? null : text.substring(PARAMETERS.length() + 1).replaceAll("\0+$", "");
        }
        return Infotext.parse(text).fields().containsKey("Steps") ? text : null;
    }

    private static void put(Map<String, String> texts, String keyword, String text) {
        if (text != null && !text.isBlank()) {
            texts.putIfAbsent(keyword, text);
        }
    }

    /** "prompt:{...}" as ComfyUI writes it, or JSON alone, as SwarmUI did. */
    private static void named(Map<String, String> texts, String text) {
        if (text != null && text.startsWith("{")) {
            put(texts, PARAMETERS, text);
        } else if (text != null && text.matches("(?si)(prompt|workflow):\\s*\\{.*")) {
            String[] parts = text.split(":", 2);
            put(texts, parts[0].toLowerCase(Locale.ROOT), parts[1].strip());
        }
    }

    /** One of the texts; null when the file has none. */
    String get(String keyword) {
        return texts.get(keyword);
    }

    /** One of the texts as a JSON object; null when the file has none, or it is no JSON object. */
    JsonNode json(String keyword) {
        String text = texts.get(keyword);
        JsonNode node = text == null ? null : JsonTree.readWhole(text.startsWith("\uFEFF") ? text.substring(1) : text);
        return node != null && node.isObject() ? node : null;
    }
}
