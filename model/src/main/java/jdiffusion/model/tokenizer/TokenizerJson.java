package jdiffusion.model.tokenizer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.JsonFault;

/**
 * The parts of a {@code tokenizer.json} that count: the model's vocabulary, the normaliser's character map, the added
 * tokens. As in transformers 5, the other steps are those of the tokenizer's class and not read from the file.
 */
final class TokenizerJson {
    private String type = "";
    private TokenTable ids = new TokenTable();
    private final ByteArrayOutputStream merges = new ByteArrayOutputStream();
    private final Pieces pieces = new Pieces();
    private int unk = 2;
    private byte[] charsMap = {};
    private boolean marksStart;
    private List<AddedToken> added = List.of();

    private TokenizerJson() {
    }

    /** Reads a file whose model has to be of the type wanted, {@code BPE} or {@code Unigram}. */
    static TokenizerJson read(Path file, String wanted) {
        var json = Json.read(file, Names.VOCABULARY_LIMIT, in -> new TokenizerJson().readFile(in));
        if (!json.type().equals(wanted)) {
            throw new InputException(file + " holds a model of type \"" + json.type() + "\"; expected " + wanted);
        }
        if (json.ids.count() == 0 && json.pieces.count() == 0) {
            throw new InputException(file + " has no tokens in model.vocab; fetch the file again");
        }
        return json;
    }

    /**
     * The kind of tokenizer in a file, of which no more is read than tells it.
     *
     * @throws InputException when it is none that is known, or the file cannot be used
     */
    static TokenizerKind kind(Path file) {
        var model = Json.read(file, Names.VOCABULARY_LIMIT, TokenizerJson::readHead);
        return switch (model.type()) {
            case "Unigram" -> TokenizerKind.T5;
            case "BPE" -> {
                if (model.bytes()) {
                    yield TokenizerKind.LLAMA;
                }
                if (!model.wordEnd().equals(BytePairs.WORD_END)) {
                    throw new InputException(file + " holds byte pairs of another kind than CLIP's, whose words end in "
                            + BytePairs.WORD_END + ", and Llama's, which fall back to bytes");
                }
                yield TokenizerKind.CLIP;
            }
            default -> throw new InputException(file + " holds a model of type \"" + model.type()
                    + "\"; BPE (of CLIP, of Llama) and Unigram (of T5) are known");
        };
    }

    /**
     * What tells the kind of a model.
     *
     * @param wordEnd what byte pairs have at the end of a word
     * @param bytes   whether characters that have no token become bytes
     */
    private record Head(String type, String wordEnd, boolean bytes) {
    }

    /** Old files do not name the type; then it is told by what is there, as the tokenizers library does. */
    private static Head readHead(JsonParser in) throws IOException {
        var type = "";
        String wordEnd = null;
        var bytes = false;
        Json.expect(in, JsonToken.START_OBJECT, "the file");
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var isModel = in.currentName().equals("model");
            in.nextToken();
            if (!isModel) {
                in.skipChildren();
                continue;
            }
            Json.expect(in, JsonToken.START_OBJECT, "model");
            while (in.nextToken() != JsonToken.END_OBJECT) {
                var key = in.currentName();
                in.nextToken();
                switch (key) {
                    case "type" -> type = Json.string(in, key);
                    case "end_of_word_suffix" -> wordEnd = in.currentToken() == JsonToken.VALUE_NULL ? ""
                            : Json.string(in, key);
                    case "byte_fallback" -> bytes = Json.flag(in, key);
                    case "vocab" -> type = type.isEmpty() && in.currentToken() == JsonToken.START_ARRAY ? "Unigram"
                            : type;
                    case "merges" -> type = type.isEmpty() ? "BPE" : type;
                    default -> {
                    }
                }
                // What else tells of byte pairs comes before the vocabulary, or after it in files of another order.
                if (!type.isEmpty() && (!type.equals("BPE") || bytes || BytePairs.WORD_END.equals(wordEnd))) {
                    return new Head(type, wordEnd, bytes);
                }
                in.skipChildren();
            }
            break;
        }
        return new Head(type, wordEnd == null ? BytePairs.WORD_END : wordEnd, bytes);
    }

    /** Old files do not name it. */
    private String type() {
        return !type.isEmpty() ? type : pieces.count() > 0 ? "Unigram" : merges.size() > 0 ? "BPE" : "";
    }

    TokenTable ids() {
        return ids;
    }

    /** Lines of two tokens separated by a space, as in {@code merges.txt}. */
    byte[] merges() {
        return merges.toByteArray();
    }

    Pieces pieces() {
        return pieces;
    }

    int unk() {
        return unk;
    }

    /** Whether a sign for a space is put before a text. */
    boolean marksStart() {
        return marksStart;
    }

    byte[] charsMap() {
        return charsMap;
    }

    List<AddedToken> added() {
        return added;
    }

    private TokenizerJson readFile(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_OBJECT, "the file");
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var key = in.currentName();
            if (in.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (key) {
                case "added_tokens" -> added = TokenizerSettings.readList(in);
                case "normalizer", "pre_tokenizer" -> readSteps(in);
                case "model" -> readModel(in);
                default -> in.skipChildren();
            }
        }
        return this;
    }

    /** The first character map, and what puts a sign before a text, at any depth; a sequence is an array of steps. */
    private void readSteps(JsonParser in) throws IOException {
        if (!in.currentToken().isStructStart()) {
            return;
        }
        for (var depth = 1; depth > 0;) {
            var token = in.nextToken();
            var key = in.currentName();
            if (token.isStructStart()) {
                depth++;
            } else if (token.isStructEnd()) {
                depth--;
            } else if (token == JsonToken.VALUE_STRING && charsMap.length == 0
                    && "precompiled_charsmap".equals(key)) {
                charsMap = in.getBinaryValue();
            } else if (token == JsonToken.VALUE_STRING && "prepend".equals(key)) {
                marksStart = in.getText().equals("\u2581");
            } else if (token == JsonToken.VALUE_STRING && "prepend_scheme".equals(key)) {
                marksStart = !in.getText().equals("never");
            } else if (token.isBoolean() && "add_prefix_space".equals(key)) {
                marksStart = in.getBooleanValue();
            }
        }
    }

    private void readModel(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_OBJECT, "model");
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var key = in.currentName();
            if (in.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (key) {
                case "type" -> type = Json.string(in, key);
                case "unk_id" -> unk = Json.index(in, key, TokenizerSettings.MAX_IDS);
                case "vocab" -> readVocab(in);
                case "merges" -> readMerges(in);
                default -> in.skipChildren();
            }
        }
    }

    private void readVocab(JsonParser in) throws IOException {
        if (in.currentToken() == JsonToken.START_OBJECT) {
            ids = readIds(in);
            return;
        }
        Json.expect(in, JsonToken.START_ARRAY, "model.vocab");
        while (in.nextToken() != JsonToken.END_ARRAY) {
            Json.expect(in, JsonToken.START_ARRAY, "an entry of model.vocab");
            in.nextToken();
            var piece = Json.string(in, "a piece of model.vocab");
            if (!in.nextToken().isNumeric()) {
                throw Json.bad(in, "the score of \"" + piece + "\" should be a number but is "
                        + JsonFault.name(in.currentToken()));
            }
            var fault = pieces.add(piece, in.getDoubleValue());
            if (!fault.isEmpty()) {
                throw Json.bad(in, fault);
            }
            in.nextToken();
            Json.expect(in, JsonToken.END_ARRAY, "the end of an entry of model.vocab");
        }
    }

    private void readMerges(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_ARRAY, "model.merges");
        while (in.nextToken() != JsonToken.END_ARRAY) {
            var merge = "";
            if (in.currentToken() == JsonToken.START_ARRAY) {
                in.nextToken();
                var left = Json.string(in, "the left half of a merge");
                in.nextToken();
                merge = left + " " + Json.string(in, "the right half of a merge");
                in.nextToken();
                Json.expect(in, JsonToken.END_ARRAY, "the end of a merge");
            } else {
                merge = Json.string(in, "a merge");
            }
            if (merge.indexOf('\n') >= 0 || merge.indexOf('\r') >= 0) {
                throw Json.bad(in, "a merge has a line break");
            }
            merges.writeBytes((merge + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    /** An object of tokens with their ids, such as the whole of {@code vocab.json}. */
    static TokenTable readIds(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_OBJECT, "the vocabulary");
        var ids = new TokenTable();
        for (var name = in.nextFieldName(); name != null; name = in.nextFieldName()) {
            in.nextToken();
            ids.put(name, Json.index(in, "the id of a token", TokenizerSettings.MAX_IDS));
        }
        Json.expect(in, JsonToken.END_OBJECT, "the end of the vocabulary");
        var fault = ids.fault();
        if (!fault.isEmpty()) {
            throw Json.bad(in, fault);
        }
        return ids;
    }
}
