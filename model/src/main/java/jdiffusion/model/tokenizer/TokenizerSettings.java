package jdiffusion.model.tokenizer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.tensor.InputFile;

/**
 * What {@code tokenizer_config.json} and {@code special_tokens_map.json} say about a tokenizer; both may be absent.
 * As in transformers, the second file counts only when the first lists no {@code added_tokens_decoder}.
 */
public final class TokenizerSettings {
    /** Ids are row numbers of an embedding table; no text encoder has this many. */
    static final int MAX_IDS = 1 << 20;
    private static final int MAX_ADDED = 1 << 14;
    /** transformers' default: T5 checkpoints have 100 sentinel tokens after the pieces. */
    private static final int DEFAULT_EXTRA_IDS = 100;

    private static final int NOT_SAID = -1;

    private String tokenizerClass = "";
    private int extraIds = NOT_SAID;
    private boolean addsStart;
    private boolean addsEnd = true;
    private int rows = Integer.MAX_VALUE;
    private final Map<String, AddedToken> named = new LinkedHashMap<>();
    private final List<AddedToken> added = new ArrayList<>();
    private final List<AddedToken> additional = new ArrayList<>();

    private TokenizerSettings() {
    }

    /** What transformers assumes when a folder has neither file. */
    public static TokenizerSettings defaults() {
        return new TokenizerSettings();
    }

    /**
     * Reads the two files of a folder, where present.
     *
     * @throws jdiffusion.tensor.InputException when one of them is unusable
     */
    public static TokenizerSettings read(Path folder) {
        var settings = new TokenizerSettings();
        var config = folder.resolve(Names.CONFIG);
        if (InputFile.isThere(config)) {
            Json.read(config, Names.SETTINGS_LIMIT, settings::readObject);
        }
        var special = folder.resolve(Names.SPECIAL);
        if (settings.added.isEmpty() && InputFile.isThere(special)) {
            settings.additional.clear();
            Json.read(special, Names.SETTINGS_LIMIT, settings::readObject);
        }
        return settings;
    }

    /** The class named in the configuration, or an empty string. */
    String tokenizerClass() {
        return tokenizerClass;
    }

    /** Says how many rows the encoder's table has, for what the files leave open. */
    TokenizerSettings forTable(int tableRows) {
        rows = tableRows;
        return this;
    }

    /**
     * Sentinel tokens {@code <extra_id_N>} that follow the pieces of a SentencePiece file. Where nothing is said of
     * them there are as many as usual, but no more than the encoder's table has rows for.
     */
    int extraIds(int pieces) {
        return extraIds != NOT_SAID ? extraIds : Math.clamp((long) rows - pieces, 0, DEFAULT_EXTRA_IDS);
    }

    /** Whether a start token comes before a text, of a tokenizer of Llama's kind; Pile-T5's has none. */
    boolean addsStart() {
        return addsStart;
    }

    /** Whether an end token follows a text, of a tokenizer of Llama's kind. */
    boolean addsEnd() {
        return addsEnd;
    }

    /** A token by its role, such as {@code pad_token}. */
    AddedToken named(String role, String ifAbsent) {
        return named.getOrDefault(role, new AddedToken(ifAbsent, false, AddedToken.UNKNOWN_ID));
    }

    /** Gives a role, such as {@code pad_token}, to another token than the files do. */
    void name(String role, String token) {
        if (!named(role, "").content().equals(token)) {
            named.put(role, new AddedToken(token, false, AddedToken.UNKNOWN_ID));
        }
    }

    /** The {@code added_tokens_decoder}. */
    List<AddedToken> added() {
        return added;
    }

    /** The {@code additional_special_tokens}. */
    List<AddedToken> additional() {
        return additional;
    }

    private TokenizerSettings readObject(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_OBJECT, "the file");
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var key = in.currentName();
            if (in.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (key) {
                case "bos_token", "eos_token", "unk_token", "pad_token" ->
                        named.put(key, token(in, AddedToken.UNKNOWN_ID));
                case "tokenizer_class" -> tokenizerClass = Json.string(in, key);
                case "add_bos_token" -> addsStart = Json.flag(in, key);
                case "add_eos_token" -> addsEnd = Json.flag(in, key);
                case "extra_ids" -> extraIds = Json.index(in, key, MAX_ADDED);
                case "additional_special_tokens" -> readAdditional(in);
                case "added_tokens_decoder" -> readDecoder(in);
                default -> in.skipChildren();
            }
        }
        return this;
    }

    private void readAdditional(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_ARRAY, "additional_special_tokens");
        while (in.nextToken() != JsonToken.END_ARRAY) {
            append(in, additional, token(in, AddedToken.UNKNOWN_ID));
        }
    }

    private void readDecoder(JsonParser in) throws IOException {
        Json.expect(in, JsonToken.START_OBJECT, "added_tokens_decoder");
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var id = AddedToken.UNKNOWN_ID;
            var key = in.currentName();
            if (key.matches("[0-9]{1,7}")) {
                id = Integer.parseInt(key);
            }
            if (id < 0 || id >= MAX_IDS) {
                throw Json.bad(in, "added_tokens_decoder has the id " + key + "; expected 0 to " + (MAX_IDS - 1));
            }
            in.nextToken();
            append(in, added, token(in, id));
        }
    }

    private static void append(JsonParser in, List<AddedToken> list, AddedToken token) throws IOException {
        if (list.size() == MAX_ADDED) {
            throw Json.bad(in, "more than " + MAX_ADDED + " added tokens");
        }
        list.add(token);
    }

    /** The {@code added_tokens} of a {@code tokenizer.json}, each with its id; the parser stands on the array. */
    static List<AddedToken> readList(JsonParser in) throws IOException {
        var list = new ArrayList<AddedToken>();
        Json.expect(in, JsonToken.START_ARRAY, "added_tokens");
        while (in.nextToken() != JsonToken.END_ARRAY) {
            append(in, list, token(in, AddedToken.UNKNOWN_ID));
        }
        return list;
    }

    /** A plain string, or an object with {@code content}; a string is looked for in the text as given. */
    private static AddedToken token(JsonParser in, int knownId) throws IOException {
        if (in.currentToken() == JsonToken.VALUE_STRING) {
            return new AddedToken(in.getText(), false, knownId);
        }
        Json.expect(in, JsonToken.START_OBJECT, "a token");
        var content = "";
        var normalized = false;
        var id = knownId;
        while (in.nextToken() != JsonToken.END_OBJECT) {
            var key = in.currentName();
            if (in.nextToken() == JsonToken.VALUE_NULL) {
                continue;
            }
            switch (key) {
                case "content" -> content = Json.string(in, key);
                case "normalized" -> normalized = Json.flag(in, key);
                case "id" -> id = Json.index(in, key, MAX_IDS);
                default -> in.skipChildren();
            }
        }
        return new AddedToken(content, normalized, id);
    }
}
