package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.embedding.Embeddings;
import jdiffusion.model.embedding.TextualInversion;
import jdiffusion.model.tokenizer.ClipTokenizer;
import jdiffusion.model.tokenizer.Passage;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.Tokens;

/**
 * Prompts as a text encoder reads them.
 *
 * @param ids      [prompts][tokens]; -1, -2, ... for the rows of {@code inserted} in order
 * @param counts   [prompts] of ids that are no padding
 * @param inserted vectors of textual inversions, [rows][width]
 */
public record PromptTokens(int[][] ids, int[] counts, float[][] inserted) {
    private static final String TOKEN_TABLE = "text_model.embeddings.token_embedding.weight";

    /** @throws jdiffusion.tensor.InputException when a prompt names an embedding that the model cannot take */
    public static void check(ModelFiles files, List<String> prompts) {
        Map<String, TextualInversion> used = files.embeddings().used(prompts);
        if (!used.isEmpty()) {
            Map<String, Integer> encoders = new LinkedHashMap<>();
            for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
                if (files.has(clip)) {
                    encoders.put(key(clip), width(files, clip));
                }
            }
            used.values().forEach(inversion -> inversion.check(encoders));
        }
    }

    private static String key(Component clip) {
        return clip == Component.CLIP_L ? TextualInversion.CLIP_L : TextualInversion.CLIP_G;
    }

    private static int width(ModelFiles files, Component clip) {
        try (ModelFiles.Open open = files.inspect(clip)) {
            return open.tensors().shape(TOKEN_TABLE).cols();
        }
    }

    static PromptTokens of(ModelFiles files, Component encoder, List<String> prompts, int length,
                           Conditioner.Listener listener) {
        Tokenizer tokenizer = files.tokenizer(encoder);
        int[][] ids = new int[prompts.size()][];
        int[] counts = new int[ids.length];
        List<float[]> inserted = new ArrayList<>();
        for (int i = 0; i < ids.length; i++) {
            int first = inserted.size();
            List<Passage> passages = passages(files, encoder, prompts.get(i), inserted, listener);
            Tokens tokens = inserted.size() > first && tokenizer instanceof ClipTokenizer clip
                    ? clip.encode(passages, length) : tokenizer.encode(String.join("", passages.stream()
                            .map(Passage::text).toList()), length);
            counts[i] = Math.min(tokens.used(), length);
            listener.tokenized(encoder, prompts.get(i), tokens);
            ids[i] = Arrays.stream(tokens.ids()).map(id -> id < 0 ? id - first : id).toArray();
        }
        return new PromptTokens(ids, counts, inserted.toArray(float[][]::new));
    }

    /** A prompt's texts between the textual inversions that it names, whose vectors are added. */
    static List<Passage> passages(ModelFiles files, Component encoder, String prompt, List<float[]> inserted,
                                          Conditioner.Listener listener) {
        List<Passage> passages = new ArrayList<>();
        String text = "";
        for (Embeddings.Part part : files.embeddings().split(prompt)) {
            if (part.inversion() == null) {
                text = part.text();
                continue;
            }
            float[][] vectors = encoder == Component.T5 ? null
                    : part.inversion().of(key(encoder), width(files, encoder));
            if (vectors == null) {
                listener.without(encoder, part.inversion());
            } else {
                inserted.addAll(Arrays.asList(vectors));
            }
            passages.add(new Passage(text, vectors == null ? 0 : vectors.length, part.inversion().name()));
            text = "";
        }
        passages.add(new Passage(text, 0, ""));
        return passages;
    }
}
