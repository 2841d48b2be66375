package jdiffusion.model.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * A place where a vocabulary lies.
 *
 * @param path the folder, or the GGUF file
 */
public record VocabularyFile(Form form, Path path) {
    /** How vocabularies are stored. */
    public enum Form {
        /** CLIP's own files. */
        PAIRS(Names.VOCAB, Names.MERGES),
        /** A SentencePiece model. */
        SENTENCEPIECE(Names.SENTENCEPIECE),
        /** A SentencePiece model of byte pairs. */
        SENTENCEPIECE_PAIRS(Names.LLAMA_MODEL),
        /** The file of the tokenizers library. */
        JSON(Names.JSON),
        /** The metadata of a file of weights. */
        GGUF;

        private final List<String> names;

        Form(String... names) {
            this.names = List.of(names);
        }
    }

    /** What a folder has, that which is read quickest first; nothing of it is read yet. */
    public static List<VocabularyFile> in(Path folder) {
        List<VocabularyFile> found = new ArrayList<>();
        for (Form form : List.of(Form.PAIRS, Form.SENTENCEPIECE, Form.SENTENCEPIECE_PAIRS, Form.JSON)) {
            if (form.names.stream().allMatch(name -> InputFile.isThere(folder.resolve(name)))) {
                found.add(new VocabularyFile(form, folder));
            }
        }
        return found;
    }

    /** The first of a kind that a folder has; null for none. */
    public static VocabularyFile in(Path folder, TokenizerKind kind) {
        return in(folder).stream().filter(file -> file.is(kind)).findFirst().orElse(null);
    }

    /**
     * What a file of weights carries.
     *
     * @throws InputException when it is a GGUF file that cannot be read
     */
    public static List<VocabularyFile> of(Path weights) {
        return weights.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(Names.GGUF)
                && GgufVocabulary.isIn(weights) ? List.of(new VocabularyFile(Form.GGUF, weights)) : List.of();
    }

    /** Its files, of which the first tells it from others. */
    public List<Path> files() {
        return form == Form.GGUF ? List.of(path) : form.names.stream().map(path::resolve).toList();
    }

    /** The settings that lie beside it, where they do. */
    public List<Path> settings() {
        return form == Form.GGUF ? List.of() : Stream.of(Names.CONFIG, Names.SPECIAL).map(path::resolve)
                .filter(InputFile::isThere).toList();
    }

    /**
     * Its files by name, as a folder holds them.
     *
     * @throws InputException when they cannot be read
     */
    public Map<String, byte[]> contents() {
        if (form == Form.GGUF) {
            return Map.of(Names.SENTENCEPIECE, GgufVocabulary.read(path, TokenizerSettings.defaults())
                    .toSentencePiece());
        }
        Map<String, byte[]> contents = new TreeMap<>();
        files().forEach(file -> contents.put(file.getFileName().toString(),
                InputFile.bytes(file, Names.VOCABULARY_LIMIT, "a tokenizer file")));
        return contents;
    }

    /** Whether it could be of a kind, as far as names say. */
    public boolean mayBe(TokenizerKind kind) {
        return switch (form) {
            case PAIRS -> kind == TokenizerKind.CLIP;
            case SENTENCEPIECE, GGUF -> kind == TokenizerKind.T5;
            case SENTENCEPIECE_PAIRS -> kind == TokenizerKind.LLAMA;
            case JSON -> true;
        };
    }

    /**
     * Which kind it is.
     *
     * @throws InputException when it is none that is known, or cannot be read
     */
    public TokenizerKind kind() {
        return switch (form) {
            case PAIRS -> TokenizerKind.CLIP;
            case SENTENCEPIECE -> TokenizerKind.T5;
            case SENTENCEPIECE_PAIRS -> TokenizerKind.LLAMA;
            case JSON -> TokenizerJson.kind(path.resolve(Names.JSON));
            case GGUF -> GgufVocabulary.kind(path);
        };
    }

    /** Whether it is of a kind, told by no more than is needed for that; fails as {@link #kind} does. */
    public boolean is(TokenizerKind wanted) {
        return mayBe(wanted) && (form != Form.JSON || kind() == wanted);
    }

    /**
     * Reads it, with the settings beside it unless they are of another kind of tokenizer.
     *
     * @param padsWithEnd for CLIP: whether to pad with the end token, as CLIP-L does, or with {@code !}, as CLIP-G does
     * @param rows        of the encoder's table, for what the files leave open
     * @param like        tokenizers whose tables are shared where the files are equal
     * @throws InputException when it cannot be used
     */
    public Tokenizer read(boolean padsWithEnd, int rows, List<Tokenizer> like) {
        TokenizerKind kind = kind();
        TokenizerSettings settings = (hasSettings(kind) ? TokenizerSettings.read(path) : TokenizerSettings.defaults())
                .forTable(rows);
        if (kind == TokenizerKind.CLIP) {
            settings.name("pad_token", padsWithEnd ? settings.named("eos_token", ClipTokenizer.EOS).content() : "!");
            return form == Form.JSON ? ClipTokenizer.ofJson(path.resolve(Names.JSON), settings)
                    : ClipTokenizer.load(path, settings, like.stream().filter(ClipTokenizer.class::isInstance)
                            .map(ClipTokenizer.class::cast).findFirst());
        }
        if (kind == TokenizerKind.LLAMA) {
            return form == Form.JSON ? LlamaTokenizer.ofJson(path.resolve(Names.JSON), settings)
                    : LlamaTokenizer.ofSentencePiece(path.resolve(Names.LLAMA_MODEL), settings);
        }
        return switch (form) {
            case GGUF -> UnigramTokenizer.ofGguf(path, settings);
            case JSON -> UnigramTokenizer.ofJson(path.resolve(Names.JSON), settings);
            default -> UnigramTokenizer.ofSentencePiece(path.resolve(Names.SENTENCEPIECE), settings);
        };
    }

    /**
     * Whether settings that lie beside it can be its own: they name no class of tokenizer, or one of this kind.
     *
     * @throws InputException when they cannot be read
     */
    public boolean hasSettings(TokenizerKind kind) {
        if (form == Form.GGUF) {
            return false;
        }
        String named = TokenizerSettings.read(path).tokenizerClass();
        return named.isEmpty() || named.toUpperCase(Locale.ROOT).startsWith(kind.name());
    }
}
