package jdiffusion.model.tokenizer;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.tensor.gguf.GgufWriter;

/** GGUF files with the vocabulary of a SentencePiece model, as llama.cpp's converter writes it. */
public final class GgufVocabularies {
    private GgufVocabularies() {
    }

    /** @param spare tokens of no use at the end */
    public static Path of(Path spiece, Path gguf, int spare) {
        return of(spiece, gguf, spare, _ -> { });
    }

    /** @param more told the file before it is written */
    public static Path of(Path spiece, Path gguf, int spare, Consumer<GgufWriter> more) {
        GgufWriter writer = new GgufWriter().put("general.architecture", "t5encoder");
        put(writer, spiece, spare);
        writer.put("tokenizer.ggml.model", "t5");
        more.accept(writer);
        writer.write(gguf);
        return gguf;
    }

    /** All but the kind. */
    public static void put(GgufWriter writer, Path spiece, int spare) {
        SentencePieceFile file = new SentencePieceFile(spiece);
        int count = file.pieces().count();
        List<String> tokens = new ArrayList<>();
        float[] scores = new float[count + spare];
        int[] types = new int[count + spare];
        for (int id = 0; id < count + spare; id++) {
            tokens.add(id < count ? file.pieces().text(id) : "[PAD" + id + "]");
            scores[id] = id < count ? (float) file.pieces().score(id) : -10000;
            types[id] = id < count ? 1 : 5;
        }
        file.added().forEach(token -> types[token.id()] = 3);
        types[file.unk()] = 2;
        writer.put("tokenizer.ggml.tokens", tokens).put("tokenizer.ggml.scores", scores)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.precompiled_charsmap", file.charsMap())
                .put("tokenizer.ggml.eos_token_id", tokens.indexOf("</s>"))
                .put("tokenizer.ggml.padding_token_id", tokens.indexOf("<pad>"))
                .put("tokenizer.ggml.unknown_token_id", file.unk());
    }

    /** A file with these entries and nothing else. */
    public static Path of(Path gguf, List<String> tokens, float[] scores, int[] types, Consumer<GgufWriter> more) {
        GgufWriter writer = new GgufWriter().put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.scores", scores).put("tokenizer.ggml.token_type", types);
        more.accept(writer);
        writer.write(gguf);
        return gguf;
    }
}
