package jdiffusion.model.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.PlainText;

/**
 * The tokenizer of both CLIP text encoders: begin marker, byte pairs of the lower-case words, end marker, padding with
 * the configured token ({@code !}, id 0, for CLIP-G).
 *
 * <p>Source: {@code CLIPTokenizer} in transformers 5.
 */
public final class ClipTokenizer implements Tokenizer {
    private static final String BOS = "<|startoftext|>";
    static final String EOS = "<|endoftext|>";

    private final Vocabulary vocabulary;
    private final AddedTokens added;
    private final int bos;
    private final int eos;
    private final int unk;
    private final int pad;

    /** What the files hold; the two CLIP encoders of a checkpoint usually have the same. */
    private record Vocabulary(List<Path> files, TokenTable ids, BytePairs pairs) {
        static Vocabulary read(Path vocab, Path merges) {
            var ids = Json.read(vocab, Names.VOCABULARY_LIMIT, TokenizerJson::readIds);
            if (ids.count() == 0) {
                throw new InputException(vocab + " has no tokens; fetch the file again");
            }
            var lines = PlainText.utf8(InputFile.bytes(merges, Names.VOCABULARY_LIMIT, "a tokenizer file"));
            return new Vocabulary(List.of(vocab, merges), ids, new BytePairs(merges, ids, lines));
        }

        /** Whether the files named hold the same bytes as those read. */
        boolean isOf(Path vocab, Path merges) {
            try {
                InputFile.open(vocab).close();
                InputFile.open(merges).close();
                return files.size() == 2 && Files.mismatch(files.getFirst(), vocab) < 0
                        && Files.mismatch(files.getLast(), merges) < 0;
            } catch (IOException e) {
                throw new InputException(vocab + " or " + merges + " cannot be read: " + e, e);
            }
        }
    }

    private ClipTokenizer(Vocabulary vocabulary, List<AddedToken> listed, TokenizerSettings settings) {
        this.vocabulary = vocabulary;
        var named = List.of(settings.named("bos_token", BOS), settings.named("eos_token", EOS),
                settings.named("unk_token", EOS), settings.named("pad_token", EOS));
        var tokens = new ArrayList<>(settings.additional());
        tokens.addAll(named);
        tokens.addAll(listed);
        added = new AddedTokens(vocabulary.files().getFirst(), tokens, vocabulary.ids()::get, ClipText::normalise);
        vocabulary.pairs().checkComplete(vocabulary.files().getLast(), vocabulary.ids(), added::has);
        bos = added.id(named.get(0));
        eos = added.id(named.get(1));
        unk = added.id(named.get(2));
        pad = added.id(named.get(3));
    }

    /** From {@code vocab.json} and {@code merges.txt} in the folder, else from {@code tokenizer.json}. */
    static ClipTokenizer load(Path folder, TokenizerSettings settings, Optional<ClipTokenizer> like) {
        var vocab = folder.resolve(Names.VOCAB);
        var merges = folder.resolve(Names.MERGES);
        if (InputFile.isThere(vocab) && InputFile.isThere(merges)) {
            return like.map(other -> other.sharing(vocab, merges, settings))
                    .orElseGet(() -> ofVocabulary(vocab, merges, settings));
        }
        var json = folder.resolve(Names.JSON);
        if (InputFile.isThere(json)) {
            return ofJson(json, settings);
        }
        throw new InputException(folder + ": no CLIP tokenizer here; looked for " + Names.CLIP);
    }

    /**
     * From a {@code tokenizer.json} with a BPE model.
     *
     * @throws InputException when the file is unusable
     */
    public static ClipTokenizer ofJson(Path json, TokenizerSettings settings) {
        var file = TokenizerJson.read(json, "BPE");
        var listed = settings.added().isEmpty() ? file.added() : settings.added();
        var pairs = new BytePairs(json, file.ids(), file.merges());
        return new ClipTokenizer(new Vocabulary(List.of(json), file.ids(), pairs), listed, settings);
    }

    /**
     * From a map of tokens to ids, and a list of merges in the order in which they were learnt.
     *
     * @throws InputException when one of the files is unusable
     */
    public static ClipTokenizer ofVocabulary(Path vocab, Path merges, TokenizerSettings settings) {
        return new ClipTokenizer(Vocabulary.read(vocab, merges), settings.added(), settings);
    }

    /** As {@link #ofVocabulary(Path, Path, TokenizerSettings)}, with this one's tables when the files are equal. */
    ClipTokenizer sharing(Path vocab, Path merges, TokenizerSettings settings) {
        return vocabulary.isOf(vocab, merges) ? new ClipTokenizer(vocabulary, settings.added(), settings)
                : ofVocabulary(vocab, merges, settings);
    }

    @Override
    public int[] encode(String text) {
        return tokens(text).ids(bos, eos);
    }

    @Override
    public Tokens encode(String text, int length) {
        return tokens(text).fit(length, bos, eos, pad);
    }

    /**
     * As of one prompt. The places behind a passage's words get the ids -1, -2, ..., counted over all passages; they
     * are cut like tokens.
     */
    public Tokens encode(List<Passage> passages, int length) {
        var list = new TokenList();
        var next = -1;
        for (var passage : passages) {
            add(passage.text(), list);
            for (int i = 0; i < passage.places(); i++) {
                list.add(next--, list.text().length());
            }
            list.text().append(passage.places() > 0 ? passage.name() : "");
        }
        return list.fit(length, bos, eos, pad);
    }

    @Override
    public int size() {
        return Math.max(vocabulary.ids().largestId(), added.largestId()) + 1;
    }

    private TokenList tokens(String text) {
        var list = new TokenList();
        add(text, list);
        return list;
    }

    private void add(String text, TokenList list) {
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
                ClipText.words(normalised, (from, to) ->
                        vocabulary.pairs().encode(normalised.substring(from, to), begin + from, unk, list));
            }
        });
    }
}
