package jdiffusion.model.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * T5's tokenizer: normalised words, each cut into its most probable pieces, then {@code </s>}, padding with
 * {@code <pad>}.
 *
 * <p>Source: {@code T5Tokenizer} in transformers 5. It gives SentencePiece's ids too, but for spellings of special
 * tokens inside a prompt, which SentencePiece does not know.
 */
public final class UnigramTokenizer implements Tokenizer {
    /** U+2581, SentencePiece's sign for a space. */
    private static final char SPACE = '\u2581';

    private final CharsMap charsMap;
    private final AddedTokens added;
    private final Viterbi viterbi;
    private final int eos;
    private final int pad;
    private final int size;

    private UnigramTokenizer(Path file, Pieces pieces, int unk, byte[] map, List<AddedToken> listed,
            TokenizerSettings settings) {
        if (unk >= pieces.count()) {
            throw new InputException(file + ": the unknown token is " + unk + " of " + pieces.count() + " pieces");
        }
        charsMap = new CharsMap(file.toString(), map);
        viterbi = new Viterbi(pieces, unk);
        var named = List.of(settings.named("eos_token", "</s>"), settings.named("pad_token", "<pad>"),
                settings.named("unk_token", "<unk>"));
        var tokens = new ArrayList<>(settings.additional());
        tokens.addAll(named);
        tokens.addAll(listed);
        tokens.addAll(settings.added());
        added = new AddedTokens(file, tokens, viterbi::id, charsMap::normalise);
        eos = added.id(named.get(0));
        pad = added.id(named.get(1));
        size = Math.max(pieces.count(), added.largestId() + 1);
    }

    /** From {@code spiece.model} in the folder, else from {@code tokenizer.json}. */
    static UnigramTokenizer load(Path folder, TokenizerSettings settings) {
        var model = folder.resolve(Names.SENTENCEPIECE);
        if (InputFile.isThere(model)) {
            return ofSentencePiece(model, settings);
        }
        var json = folder.resolve(Names.JSON);
        if (InputFile.isThere(json)) {
            return ofJson(json, settings);
        }
        throw new InputException(folder + ": no T5 tokenizer here; looked for " + Names.T5);
    }

    /**
     * From a {@code tokenizer.json} with a Unigram model.
     *
     * @throws InputException when the file is unusable
     */
    public static UnigramTokenizer ofJson(Path json, TokenizerSettings settings) {
        var file = TokenizerJson.read(json, "Unigram");
        return new UnigramTokenizer(json, file.pieces(), file.unk(), file.charsMap(), file.added(), settings);
    }

    /**
     * From a SentencePiece model; the sentinels {@code <extra_id_N>} follow its pieces, the last one first.
     *
     * @throws InputException when the file is unusable
     */
    public static UnigramTokenizer ofSentencePiece(Path model, TokenizerSettings settings) {
        var file = new SentencePieceFile(model);
        return ofPieces(model, file.pieces(), file.unk(), file.charsMap(), file.added(), settings);
    }

    /**
     * From the vocabulary that a GGUF file carries with its weights; sentinels as for a SentencePiece model, from which
     * such a vocabulary was made.
     *
     * @throws InputException when it is unusable
     */
    static UnigramTokenizer ofGguf(Path gguf, TokenizerSettings settings) {
        var vocabulary = GgufVocabulary.read(gguf, settings);
        return ofPieces(gguf, vocabulary.pieces(), vocabulary.unk(), vocabulary.charsMap(), vocabulary.added(),
                settings);
    }

    private static UnigramTokenizer ofPieces(Path file, Pieces pieces, int unk, byte[] charsMap,
            List<AddedToken> added, TokenizerSettings settings) {
        var listed = new ArrayList<>(added);
        if (added.stream().noneMatch(token -> token.content().equals(sentinel(0)))) {
            for (var i = settings.extraIds(pieces.count()) - 1; i >= 0; i--) {
                listed.add(new AddedToken(sentinel(i), false, pieces.count()));
                pieces.add(sentinel(i), 0);
            }
        }
        return new UnigramTokenizer(file, pieces, unk, charsMap, listed, settings);
    }

    private static String sentinel(int number) {
        return "<extra_id_" + number + ">";
    }

    @Override
    public int[] encode(String text) {
        return tokens(text).ids(TokenList.NO_START, eos);
    }

    @Override
    public Tokens encode(String text, int length) {
        return tokens(text).fit(length, TokenList.NO_START, eos, pad);
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
                list.add(id, begin(list));
                list.text().append(spelling);
            }

            @Override
            public void text(String normalised) {
                for (int at = 0, end; at < normalised.length(); at = end + 1) {
                    end = at;
                    while (end < normalised.length() && !Text.isSpace(normalised.charAt(end))) {
                        end++;
                    }
                    if (end > at) {
                        word(normalised.substring(at, end), list);
                    }
                }
            }
        });
        return list;
    }

    /** A word begins with the space sign, and so does each part of it that has one inside. */
    private void word(String word, TokenList list) {
        var marked = word.charAt(0) == SPACE ? word : SPACE + word;
        for (int at = 0, end; at < marked.length(); at = end) {
            var next = marked.indexOf(SPACE, at + 1);
            end = next < 0 ? marked.length() : next;
            var begin = begin(list);
            list.text().append(marked, at + 1, end);
            viterbi.encode(marked.substring(at, end), begin - 1, list);
        }
    }

    /** Where the next word begins in the list's text; words are separated by one space. */
    private static int begin(TokenList list) {
        if (!list.text().isEmpty()) {
            list.text().append(' ');
        }
        return list.text().length();
    }
}
