package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.tokenizer.LlamaTokenizer;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.TokenizerSettings;
import jdiffusion.model.tokenizer.UnigramTokenizer;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

/** Token ids of strings, which must be equal, per tokenizer; the error is the number of strings that differ. */
final class IdReference {
    private static final int CLIP = 77;
    private static final int T5 = 256;

    private IdReference() {
    }

    /**
     * @param file  with a list of lists of ids for each tokenizer; strings in it or in {@code strings.json} beside it,
     *              tokenizers in folders beside it
     * @param model whose tokenizers are meant by the names {@code shapes.*}
     */
    static List<Comparison> check(Path file, Path model) {
        JsonNode json = DataFiles.json(file);
        JsonNode strings = json.has("strings") ? json.get("strings")
                : DataFiles.json(file.resolveSibling("strings.json"));
        List<Comparison> all = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            if (!entry.getKey().equals("strings")) {
                all.add(compare(file, entry.getKey(), strings, entry.getValue(),
                        encoder(file, entry.getKey(), model)));
            }
        }
        return all;
    }

    private static Function<String, int[]> encoder(Path file, String name, Path model) {
        Path folder = file.getParent();
        return switch (name) {
            case "clip" -> padded(Tokenizer.load(folder.resolve("clip")), CLIP);
            case "clip.untruncated" -> Tokenizer.load(folder.resolve("clip"))::encode;
            case "unigram.sentencepiece" -> UnigramTokenizer.ofSentencePiece(folder.resolve("unigram/spiece.model"),
                    TokenizerSettings.read(folder.resolve("unigram")))::encode;
            case "unigram.tokenizer_json" -> unigram(folder)::encode;
            case "unigram.padded77" -> padded(unigram(folder), CLIP);
            case "shapes.tokenizer", "shapes.tokenizer_2" -> padded(Tokenizer.load(model.resolve(
                    name.substring("shapes.".length()))), CLIP);
            case "shapes.tokenizer_3" -> padded(Tokenizer.load(model.resolve("tokenizer_3")), T5);
            case "sentencepiece" -> Tokenizer.load(folder.resolve("tokenizer"))::encode;
            case "padded64" -> padded(Tokenizer.load(folder.resolve("tokenizer")), 64);
            case "tokenizer_json" -> LlamaTokenizer.ofJson(folder.resolve("tokenizer/tokenizer.json"),
                    TokenizerSettings.read(folder.resolve("tokenizer")))::encode;
            default -> throw new InputException(file + ": no tokenizer is known for the ids of '"
                    + InputException.shown(name) + "'");
        };
    }

    private static UnigramTokenizer unigram(Path folder) {
        return UnigramTokenizer.ofJson(folder.resolve("unigram/tokenizer.json"),
                TokenizerSettings.read(folder.resolve("unigram")));
    }

    private static Function<String, int[]> padded(Tokenizer tokenizer, int length) {
        return text -> tokenizer.encode(text, length).ids();
    }

    private static Comparison compare(Path file, String name, JsonNode strings, JsonNode lists,
                                      Function<String, int[]> encode) {
        if (lists.size() != strings.size() || lists.isEmpty()) {
            throw new InputException(file + ": " + name + " has ids of " + lists.size() + " strings, but there are "
                    + strings.size());
        }
        int different = 0;
        for (int i = 0; i < lists.size(); i++) {
            int[] expected = new int[lists.get(i).size()];
            for (int k = 0; k < expected.length; k++) {
                expected[k] = lists.get(i).get(k).intValue();
            }
            different += Arrays.equals(encode.apply(strings.get(i).asText()), expected) ? 0 : 1;
        }
        return new Comparison(file.getParent().toString(), name, Shape.of(lists.size()), different, different, 0,
                Double.NaN);
    }
}
