package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.tensor.InputException;

/**
 * The tokenizer of both CLIP text encoders: begin marker, byte pairs of the lower-case words, end marker, padding with
 * the configured token ({@code !}, id 0, for CLIP-G).
 *
 * <p>Source: {@code CLIPTokenizer} in transformers 5.
 */
public final class ClipTokenizer implements Tokenizer {
    private static final String BOS = "<|startoftext|>";
    private static final String EOS = "<|endoftext|>";

    private final AddedTokens added;
    private final BytePairs pairs;
    private final int bos;
    private final int eos;
    private final int pad;
    private final int size;

    private ClipTokenizer(Path vocabFile, Path mergesFile, Map<String, Integer> ids, String[] merges,
            List<AddedToken> listed, TokenizerSettings settings) {
        var named = List.of(settings.named("bos_token", BOS), settings.named("eos_token", EOS),
                settings.named("unk_token", EOS), settings.named("pad_token", EOS));
        var tokens = new ArrayList<>(settings.additional());
        tokens.addAll(named);
        tokens.addAll(listed);
        var resolved = AddedTokens.resolve(vocabFile, tokens, name -> ids.getOrDefault(name, -1));
        resolved.forEach(token -> ids.putIfAbsent(token.content(), token.id()));
        added = new AddedTokens(resolved, ClipText::normalise);
        bos = ids.get(named.get(0).content());
        eos = ids.get(named.get(1).content());
        pad = ids.get(named.get(3).content());
        pairs = new BytePairs(mergesFile, ids, merges, ids.get(named.get(2).content()));
        var largest = 0;
        for (int id : ids.values()) {
            largest = Math.max(largest, id);
        }
        size = largest + 1;
    }

    /** From {@code tokenizer.json} in the folder, else from {@code vocab.json} and {@code merges.txt}. */
    static ClipTokenizer load(Path folder, TokenizerSettings settings) {
        var json = folder.resolve(Names.JSON);
        if (Files.exists(json)) {
            return ofJson(json, settings);
        }
        var vocab = folder.resolve(Names.VOCAB);
        var merges = folder.resolve(Names.MERGES);
        if (!Files.exists(vocab) || !Files.exists(merges)) {
            throw new InputException(folder + ": no CLIP tokenizer here; looked for " + Names.CLIP);
        }
        return ofVocabulary(vocab, merges, settings);
    }

    /**
     * From a {@code tokenizer.json} with a BPE model.
     *
     * @throws InputException when the file is unusable
     */
    public static ClipTokenizer ofJson(Path json, TokenizerSettings settings) {
        var file = TokenizerJson.read(json, "BPE");
        var listed = settings.added().isEmpty() ? file.added() : settings.added();
        return new ClipTokenizer(json, json, file.ids(), file.merges(), listed, settings);
    }

    /**
     * From a map of tokens to ids, and a list of merges in the order in which they were learnt.
     *
     * @throws InputException when one of the files is unusable
     */
    public static ClipTokenizer ofVocabulary(Path vocab, Path merges, TokenizerSettings settings) {
        var ids = Json.read(vocab, InputFile.VOCABULARY_LIMIT, TokenizerJson::readIds);
        if (ids.isEmpty()) {
            throw new InputException(vocab + " has no tokens; fetch the file again");
        }
        return new ClipTokenizer(vocab, merges, ids, readMerges(merges), settings.added(), settings);
    }

    /** Left and right halves alternately; one merge a line, the halves separated by one space. */
    private static String[] readMerges(Path file) {
        var text = new String(InputFile.read(file, InputFile.VOCABULARY_LIMIT), StandardCharsets.UTF_8);
        var halves = new ArrayList<String>(1 << 17);
        var line = 1;
        for (int at = 0, end; at < text.length(); at = end + 1, line++) {
            end = text.indexOf('\n', at);
            end = end < 0 ? text.length() : end;
            var stop = end > at && text.charAt(end - 1) == '\r' ? end - 1 : end;
            if (stop == at || text.startsWith("#version", at)) {
                continue;
            }
            var space = text.indexOf(' ', at);
            if (space <= at || space >= stop - 1 || text.lastIndexOf(' ', stop - 1) != space) {
                throw new InputException(file + " line " + line + ": expected two tokens separated by one space");
            }
            halves.add(text.substring(at, space));
            halves.add(text.substring(space + 1, stop));
        }
        return halves.toArray(String[]::new);
    }

    @Override
    public int[] encode(String text) {
        return tokens(text).ids(bos, eos);
    }

    @Override
    public Tokens encode(String text, int length) {
        return tokens(text).fit(length, bos, eos, pad);
    }

    @Override
    public int size() {
        return size;
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
                var begin = list.text().length();
                list.text().append(normalised);
                ClipText.words(normalised,
                        (from, to) -> pairs.encode(normalised.substring(from, to), begin + from, list));
            }
        });
        return list;
    }
}
