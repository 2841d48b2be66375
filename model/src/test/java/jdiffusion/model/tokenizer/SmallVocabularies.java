package jdiffusion.model.tokenizer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Writes tokenizer folders small enough to reason about. */
final class SmallVocabularies {
    static final List<String> MERGES = List.of("t h", "th e</w>", "a t</w>", "c at</w>", "t t", "tt tt", "i n",
            "in g</w>", "a a", "aa a", "aa a</w>", "c a", "ca t</w>", "Ã ©</w>");
    /** Pieces with scores, ids 3 and up; unknown, end and padding come before. */
    static final List<String> PIECES = List.of("▁", "▁the", "▁a", "▁c", "at", "a", "t", "h", "e", "he", "▁cat", "th",
            "in", "g", "ing", "c", "qu", "x😀");
    static final double[] SCORES = {-3, -1.5, -2, -2.5, -2.25, -4, -4.5, -5, -4.25, -6, -4.5, -6, -3, -5, -6.75, -5,
        -3, -7};

    private SmallVocabularies() {
    }

    /** All bytes, all bytes at a word's end, what the merges give, the two markers: as CLIP's own is made. */
    static List<String> clipTokens() {
        var tokens = new ArrayList<String>();
        var next = (char) 256;
        for (var b = 0; b < 256; b++) {
            var printable = b > 32 && b < 127 || b > 160 && b != 173;
            tokens.add(String.valueOf(printable ? (char) b : next++));
        }
        tokens.addAll(tokens.stream().map(t -> t + "</w>").toList());
        for (var merge : MERGES) {
            var joined = merge.replace(" ", "");
            if (!tokens.contains(joined)) {
                tokens.add(joined);
            }
        }
        tokens.add("<|startoftext|>");
        tokens.add("<|endoftext|>");
        return tokens;
    }

    static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    static String clipVocab() {
        var tokens = clipTokens();
        var json = new StringBuilder("{");
        for (var i = 0; i < tokens.size(); i++) {
            json.append(i == 0 ? "" : ", ").append(quoted(tokens.get(i))).append(": ").append(i);
        }
        return json.append("}").toString();
    }

    static Path clipFolder(Path folder, String config) {
        write(folder.resolve("vocab.json"), clipVocab());
        write(folder.resolve("merges.txt"), "#version: 0.2\n" + String.join("\n", MERGES) + "\n");
        write(folder.resolve("tokenizer_config.json"), config);
        return folder;
    }

    /** The same in one file, merges before the vocabulary and half of them as pairs. */
    static Path clipJson(Path file) {
        var merges = new ArrayList<String>();
        for (var merge : MERGES) {
            var halves = merge.split(" ");
            merges.add(merges.size() % 2 == 0 ? quoted(merge)
                    : "[" + quoted(halves[0]) + "," + quoted(halves[1]) + "]");
        }
        write(file, "{\"added_tokens\": [], \"model\": {\"type\": \"BPE\", \"merges\": [" + String.join(",", merges)
                + "], \"vocab\": " + clipVocab() + "}}");
        return file;
    }

    static Path unigramJson(Path file) {
        var json = new StringBuilder("{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": "
                + "\"Precompiled\", \"precompiled_charsmap\": \"" + Base64.getEncoder().encodeToString(charsMap())
                + "\"}]}, \"added_tokens\": [{\"id\": 0, \"content\": \"<pad>\", \"normalized\": false},"
                + "{\"id\": 1, \"content\": \"</s>\", \"normalized\": false}],"
                + "\"model\": {\"unk_id\": 2, \"vocab\": [[\"<pad>\", 0], [\"</s>\", 0.0], [\"<unk>\", 0]");
        for (var i = 0; i < SCORES.length; i++) {
            json.append(", [").append(quoted(PIECES.get(i))).append(", ").append(SCORES[i]).append("]");
        }
        write(file, json.append("], \"type\": \"Unigram\"}}").toString());
        return file;
    }

    /** A SentencePiece model of {@link #PIECES}. */
    static byte[] sentencePiece() {
        var out = new ByteArrayOutputStream();
        field(out, 1, piece("<pad>", 0, 3));
        field(out, 1, piece("</s>", 0, 3));
        field(out, 1, piece("<unk>", 0, 2));
        for (var i = 0; i < SCORES.length; i++) {
            field(out, 1, piece(PIECES.get(i), (float) SCORES[i], 1));
        }
        field(out, 2, new byte[] {3 << 3, 1, -64, 2, 2});
        var normaliser = new ByteArrayOutputStream();
        field(normaliser, 1, "nmt_nfkc".getBytes(StandardCharsets.UTF_8));
        field(normaliser, 2, charsMap());
        normaliser.writeBytes(new byte[] {3 << 3, 1, 4 << 3, 1, 5 << 3, 1});
        field(out, 3, normaliser.toByteArray());
        return out.toByteArray();
    }

    static byte[] piece(String text, float score, int type) {
        var out = new ByteArrayOutputStream();
        field(out, 1, text.getBytes(StandardCharsets.UTF_8));
        out.write(2 << 3 | 5);
        out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(score).array());
        out.writeBytes(new byte[] {3 << 3, (byte) type});
        return out.toByteArray();
    }

    /** A length-delimited field. */
    static void field(ByteArrayOutputStream out, int number, byte[] value) {
        out.write(number << 3 | 2);
        for (var left = value.length; ; left >>>= 7) {
            out.write(left < 0x80 ? left : left & 0x7F | 0x80);
            if (left < 0x80) {
                break;
            }
        }
        out.writeBytes(value);
    }

    /** Rules: Q to "qu", tab to a space, é (two bytes) to "e", % to nothing. */
    static byte[] charsMap() {
        var strings = "qu\0 \0e\0\0".getBytes(StandardCharsets.UTF_8);
        var units = new int[5 * 256];
        units[0] = 256 << 10;
        leaf(units, 256 ^ 'Q', 'Q', 512, 0);
        leaf(units, 256 ^ '\t', '\t', 513, 3);
        leaf(units, 256 ^ '%', '%', 514, 7);
        units[256 ^ 0xC3] = (256 ^ 0xC3 ^ 768) << 10 | 0xC3;
        leaf(units, 768 ^ 0xA9, 0xA9, 1024, 5);
        var out = ByteBuffer.allocate(4 + units.length * 4 + strings.length).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(units.length * 4);
        for (var unit : units) {
            out.putInt(unit);
        }
        return out.put(strings).array();
    }

    private static void leaf(int[] units, int at, int label, int valueAt, int value) {
        units[at] = (at ^ valueAt) << 10 | 1 << 8 | label;
        units[valueAt] = 1 << 31 | value;
    }

    static void write(Path file, String text) {
        write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    static void write(Path file, byte[] bytes) {
        try {
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
