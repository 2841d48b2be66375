package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.gguf.GgufFile;

/**
 * The vocabulary of T5 that a GGUF file of its weights carries: what a SentencePiece model says, in
 * {@code tokenizer.ggml.*}. Converters fill it up to the rows of the encoder's table with tokens of no use; these are
 * left out.
 *
 * <p>Source: {@code docs/gguf.md} of the ggml project, and its {@code convert_hf_to_gguf.py}.
 *
 * @param types of the pieces, numbered as in a SentencePiece model
 */
record GgufVocabulary(Pieces pieces, int[] types, int unk, byte[] charsMap) {
    private static final String PREFIX = "tokenizer.ggml.";
    private static final String T5 = "t5";
    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;

    /** Whether a GGUF file carries a vocabulary of any kind. */
    static boolean isIn(Path file) {
        try (var gguf = GgufFile.open(file)) {
            return gguf.text(PREFIX + "model").isPresent();
        }
    }

    /** The kind of the vocabulary; fails when it is none that is known. */
    static TokenizerKind kind(Path file) {
        try (var gguf = GgufFile.open(file)) {
            check(file, gguf);
            return TokenizerKind.T5;
        }
    }

    private static void check(Path file, GgufFile gguf) {
        var model = gguf.text(PREFIX + "model").orElse("");
        if (!model.equals(T5)) {
            throw new InputException(file + ": " + PREFIX + "model is " + InputException.shown(model) + "; only " + T5
                    + " is known");
        }
        require(file, gguf, "add_bos_token", 0);
        require(file, gguf, "add_eos_token", 1);
        require(file, gguf, "add_space_prefix", 1);
        require(file, gguf, "remove_extra_whitespaces", 1);
    }

    /** T5's tokenizer has these fixed; a vocabulary made for others would be given the wrong ids. */
    private static void require(Path file, GgufFile gguf, String setting, long wanted) {
        var value = gguf.number(PREFIX + setting).orElse(wanted);
        if (value != wanted) {
            throw new InputException(file + ": " + PREFIX + setting + " is " + value + "; a T5 tokenizer has "
                    + wanted);
        }
    }

    /**
     * Reads the vocabulary.
     *
     * @param settings told which tokens end and pad
     * @throws InputException when it is unusable
     */
    static GgufVocabulary read(Path file, TokenizerSettings settings) {
        try (var gguf = GgufFile.open(file)) {
            check(file, gguf);
            var tokens = gguf.textArray(PREFIX + "tokens").orElseThrow(() -> lacks(file, "tokens"));
            var scores = numbers(file, gguf, "scores", tokens.size());
            var types = Arrays.stream(numbers(file, gguf, "token_type", tokens.size())).mapToInt(t -> (int) t)
                    .toArray();
            var count = tokens.size();
            while (count > 0 && types[count - 1] == UNUSED) {
                count--;
            }
            var pieces = new Pieces();
            for (var id = 0; id < count; id++) {
                // Tokens that were added get a score that no piece has; in a SentencePiece model it is 0.
                var score = types[id] == NORMAL ? scores[id] : 0;
                var fault = pieces.add(tokens.get(id), score);
                if (!fault.isEmpty()) {
                    throw new InputException(file + ": " + PREFIX + "tokens: " + fault + "; download it again");
                }
            }
            name(file, gguf, settings, "eos_token", pieces);
            name(file, gguf, settings, "padding_token", pieces);
            var unk = (int) gguf.number(PREFIX + "unknown_token_id").orElseGet(() -> {
                for (var id = 0; id < types.length; id++) {
                    if (types[id] == UNKNOWN) {
                        return id;
                    }
                }
                throw lacks(file, "unknown_token_id");
            });
            if (unk < 0 || unk >= pieces.count()) {
                throw new InputException(file + ": " + PREFIX + "unknown_token_id is " + unk + ", but there are "
                        + pieces.count() + " tokens; download it again");
            }
            settings.name("unk_token", pieces.text(unk));
            return new GgufVocabulary(pieces, Arrays.copyOf(types, count), unk, charsMap(file, gguf));
        }
    }

    /** Control and user-defined pieces, which are found in the text before all others. */
    List<AddedToken> added() {
        return IntStream.range(0, types.length).filter(id -> types[id] == CONTROL || types[id] == USER_DEFINED)
                .mapToObj(id -> new AddedToken(pieces.text(id), false, id)).toList();
    }

    /** The same as a SentencePiece model. */
    byte[] toSentencePiece() {
        var out = new ProtocolBuffer();
        for (var id = 0; id < types.length; id++) {
            out.message(1, new ProtocolBuffer().bytes(1, pieces.text(id).getBytes(StandardCharsets.UTF_8))
                    .number(2, (float) pieces.score(id)).number(3, types[id]));
        }
        var roles = new ProtocolBuffer().number(3, 1).number(4, types.length).number(40, unk);
        for (var role : Map.of(41, "<s>", 42, "</s>", 43, "<pad>").entrySet()) {
            roles.number(role.getKey(), IntStream.range(0, types.length)
                    .filter(id -> types[id] == CONTROL && pieces.text(id).equals(role.getValue())).findFirst()
                    .orElse(-1));
        }
        return out.message(2, roles).message(3, new ProtocolBuffer().bytes(2, charsMap).number(3, 1).number(4, 1)
                .number(5, 1)).toByteArray();
    }

    private static double[] numbers(Path file, GgufFile gguf, String key, int count) {
        var numbers = gguf.numberArray(PREFIX + key).orElseThrow(() -> lacks(file, key));
        if (numbers.length != count) {
            throw new InputException(file + ": has " + count + " " + PREFIX + "tokens, but " + numbers.length + " "
                    + PREFIX + key + "; download it again");
        }
        return numbers;
    }

    private static byte[] charsMap(Path file, GgufFile gguf) {
        var numbers = gguf.numberArray(PREFIX + "precompiled_charsmap").orElse(new double[0]);
        var bytes = new byte[numbers.length];
        for (var i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) numbers[i];
            if (numbers[i] != bytes[i] && numbers[i] != (bytes[i] & 0xFF)) {
                throw new InputException(file + ": " + PREFIX + "precompiled_charsmap has " + numbers[i]
                        + ", which is no byte; download it again");
            }
        }
        return bytes;
    }

    /** Tells the settings which token has a role, where the file says. */
    private static void name(Path file, GgufFile gguf, TokenizerSettings settings, String role, Pieces pieces) {
        gguf.number(PREFIX + role + "_id").ifPresent(id -> {
            if (id < 0 || id >= pieces.count()) {
                throw new InputException(file + ": " + PREFIX + role + "_id is " + id + ", but there are "
                        + pieces.count() + " tokens; download it again");
            }
            settings.name(role.equals("padding_token") ? "pad_token" : role, pieces.text((int) id));
        });
    }

    private static InputException lacks(Path file, String key) {
        return new InputException(file + ": carries a vocabulary without " + PREFIX + key);
    }
}
