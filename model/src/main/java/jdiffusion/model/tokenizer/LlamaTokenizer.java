package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Llama's tokenizer, as Pile-T5 has it: a text with a sign for each space and one before it is merged pair by pair,
 * across words; characters that the vocabulary does not have become their bytes. Then {@code </s>}, padding with
 * {@code <s>}.
 *
 * <p>Source: SentencePiece ({@code bpe_model.cc}). Both forms give its ids, but for spellings of special tokens inside
 * a prompt, which are taken for these tokens, as the tokenizers library does.
 */
public final class LlamaTokenizer implements Tokenizer {
    /** U+2581, SentencePiece's sign for a space. */
    private static final char SPACE = '\u2581';

    private final TokenTable ids;
    private final Merges merges;
    private final int[] bytes = new int[256];
    private final CharsMap charsMap;
    private final AddedTokens added;
    private final int start;
    private final int eos;
    private final int pad;

    /** @param ids of whole characters and of what they are merged to */
    private LlamaTokenizer(Path file, TokenTable ids, TokenTable all, Merges merges, byte[] map,
            List<AddedToken> listed, TokenizerSettings settings) {
        this.ids = ids;
        this.merges = merges;
        for (var b = 0; b < 256; b++) {
            bytes[b] = all.get(String.format("<0x%02X>", b));
            if (bytes[b] < 0) {
                throw new InputException(file + String.format(": has no token <0x%02X>", b)
                        + " for a byte; a tokenizer of Llama's kind has all 256");
            }
        }
        charsMap = new CharsMap(file.toString(), map);
        var named = List.of(settings.named("bos_token", "<s>"), settings.named("eos_token", "</s>"),
                settings.named("unk_token", "<unk>"), settings.named("pad_token", "<s>"));
        var tokens = new ArrayList<>(settings.additional());
        tokens.addAll(named);
        tokens.addAll(listed);
        tokens.addAll(settings.added());
        added = new AddedTokens(file, tokens, all::get, this::normalise);
        if (!settings.addsEnd()) {
            throw new InputException(file + ": its settings say that no end token follows a text (add_eos_token);"
                    + " text encoders need one");
        }
        start = settings.addsStart() ? added.id(named.get(0)) : TokenList.NO_START;
        eos = added.id(named.get(1));
        pad = added.id(named.get(3));
    }

    /** From {@code tokenizer.model} in the folder, else from {@code tokenizer.json}. */
    static LlamaTokenizer load(Path folder, TokenizerSettings settings) {
        var model = folder.resolve(Names.LLAMA_MODEL);
        if (InputFile.isThere(model)) {
            return ofSentencePiece(model, settings);
        }
        var json = folder.resolve(Names.JSON);
        if (InputFile.isThere(json)) {
            return ofJson(json, settings);
        }
        throw new InputException(folder + ": no tokenizer of Llama's kind here; looked for " + Names.LLAMA);
    }

    /**
     * From a {@code tokenizer.json} with a BPE model that falls back to bytes.
     *
     * @throws InputException when the file is unusable
     */
    public static LlamaTokenizer ofJson(Path json, TokenizerSettings settings) {
        var file = TokenizerJson.read(json, "BPE");
        if (!file.marksStart()) {
            throw new InputException(json + ": puts no sign for a space before a text (neither Prepend nor Metaspace);"
                    + " a tokenizer of Llama's kind does");
        }
        return new LlamaTokenizer(json, file.ids(), file.ids(), Merges.read(json, file.ids(), file.merges(), _ -> { }),
                file.charsMap(), file.added(), settings);
    }

    /**
     * From a SentencePiece model of byte pairs.
     *
     * @throws InputException when the file is unusable
     */
    public static LlamaTokenizer ofSentencePiece(Path model, TokenizerSettings settings) {
        var file = new SentencePieceFile(model, SentencePieceFile.BPE);
        var pieces = file.pieces();
        var normal = new TokenTable();
        var all = new TokenTable();
        for (var id = 0; id < pieces.count(); id++) {
            all.put(pieces.text(id), id);
            if (file.isNormal(id)) {
                normal.put(pieces.text(id), id);
            }
        }
        return new LlamaTokenizer(model, normal, all, merges(pieces, file, normal), file.charsMap(), file.added(),
                settings);
    }

    /** Each piece is joined from any two others; the one with the higher score first, of equal ones the first. */
    private static Merges merges(Pieces pieces, SentencePieceFile file, TokenTable normal) {
        var order = IntStream.range(0, pieces.count()).filter(file::isNormal).boxed()
                .sorted(Comparator.comparingDouble(id -> -pieces.score(id))).toList();
        var merges = new Merges(pieces.chars());
        var rank = 0;
        var before = Double.NaN;
        for (var id : order) {
            rank += pieces.score(id) == before ? 0 : 1;
            before = pieces.score(id);
            var text = pieces.text(id);
            for (var at = text.offsetByCodePoints(0, 1); at < text.length(); at = text.offsetByCodePoints(at, 1)) {
                var left = normal.get(text.substring(0, at));
                var right = normal.get(text.substring(at));
                if (left >= 0 && right >= 0) {
                    merges.put(left, right, rank, id);
                }
            }
        }
        return merges;
    }

    @Override
    public int[] encode(String text) {
        return tokens(text).ids(start, eos);
    }

    @Override
    public Tokens encode(String text, int length) {
        return tokens(text).fit(length, start, eos, pad);
    }

    @Override
    public int size() {
        return Math.max(Math.max(ids.largestId(), Arrays.stream(bytes).max().orElse(0)), added.largestId()) + 1;
    }

    private String normalise(String text) {
        return text.isEmpty() ? text : SPACE + charsMap.normalise(text).replace(' ', SPACE);
    }

    private TokenList tokens(String text) {
        var list = new TokenList();
        added.split(Text.clean(text), new AddedTokens.Sink() {
            @Override
            public void token(int id, String spelling) {
                list.add(id, list.text().length());
                list.text().append(spelling);
            }

            @Override
            public void text(String normalised) {
                merge(normalised, list);
            }
        });
        return list;
    }

    private void merge(String text, TokenList list) {
        var most = text.getBytes(StandardCharsets.UTF_8).length;
        var symbols = new int[most];
        var begins = new int[most];
        var n = 0;
        for (int at = 0, c; at < text.length(); at += Character.charCount(c)) {
            c = text.codePointAt(at);
            var character = Character.toString(c).getBytes(StandardCharsets.UTF_8);
            var id = ids.get(character, 0, character.length);
            for (var i = 0; i < (id < 0 ? character.length : 1); i++) {
                begins[n] = at;
                symbols[n++] = id < 0 ? bytes[character[i] & 0xFF] : id;
            }
        }
        symbols = Arrays.copyOf(symbols, n);
        var next = IntStream.rangeClosed(1, n).toArray();
        var previous = IntStream.range(-1, n - 1).toArray();
        merges.apply(symbols, next, previous);
        var begin = list.text().length();
        for (var i = 0; i < n; i = next[i]) {
            list.add(symbols[i], begin + begins[i]);
        }
        list.text().append(text.replace(SPACE, ' '));
    }
}
