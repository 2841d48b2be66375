package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.prompt.Chunk;
import jdiffusion.model.prompt.WeightedText;
import jdiffusion.model.tokenizer.ClipTokenizer;
import jdiffusion.model.tokenizer.Passage;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.Tokens;
import jdiffusion.tensor.InputException;

/**
 * Prompts with weights as a text encoder reads them.
 *
 * @param prompts  chunks of each prompt, all of them of as many
 * @param empty    the chunk of an empty prompt
 * @param inserted vectors of textual inversions, [rows][width], for the ids -1, -2, ...
 */
record WeightedTokens(List<List<Chunk>> prompts, Chunk empty, float[][] inserted) {
    /** Far beyond what anybody writes. */
    private static final int MOST_TOKENS = 10_000;

    /** Makes the tokens of one encoder. */
    private record Reader(ModelFiles files, Component encoder, Tokenizer tokenizer, PromptWeights weights,
                          Conditioner.Listener listener, List<float[]> inserted) {
        List<Chunk.Group> groups(String prompt) {
            List<Chunk.Group> groups = new ArrayList<>();
            if (weights == PromptWeights.A1111) {
                for (WeightedText part : WeightedText.a1111(prompt)) {
                    groups.add(part.isBreak() ? Chunk.Group.BREAK
                            : new Chunk.Group(ids(part.text()), part.weight(), false));
                }
                return groups;
            }
            for (WeightedText part : WeightedText.comfyui(prompt)) {
                for (String word : part.text().replace('\n', ' ').split(" ")) {
                    if (!word.isEmpty()) {
                        groups.add(new Chunk.Group(ids(word), part.weight(), false));
                    }
                }
            }
            return groups;
        }

        /** Of a text, without special tokens. */
        private int[] ids(String text) {
            int first = inserted.size();
            List<Passage> passages = PromptTokens.passages(files, encoder, text, inserted, listener);
            int begin = encoder == Component.T5 ? 0 : 1;
            if (inserted.size() > first && tokenizer instanceof ClipTokenizer clip) {
                Tokens tokens = clip.encode(passages, MOST_TOKENS);
                checkLength(tokens.used());
                return Arrays.stream(tokens.ids(), begin, tokens.used() - 1).map(id -> id < 0 ? id - first : id)
                        .toArray();
            }
            int[] all = tokenizer.encode(String.join("", passages.stream().map(Passage::text).toList()));
            checkLength(all.length);
            return Arrays.copyOfRange(all, begin, all.length - 1);
        }

        private static void checkLength(int count) {
            if (count > MOST_TOKENS) {
                throw new InputException("a prompt has more than " + MOST_TOKENS + " tokens; use a shorter one");
            }
        }
    }

    private static Chunk.Ends ends(Tokenizer tokenizer, boolean t5) {
        int[] ids = tokenizer.encode("", t5 ? 2 : 3).ids();
        return t5 ? new Chunk.Ends(-1, ids[0], ids[1]) : new Chunk.Ends(ids[0], ids[1], ids[2]);
    }

    /** For CLIP: as many chunks as the longest prompt needs. */
    static WeightedTokens clip(ModelFiles files, Component encoder, List<String> prompts, int length,
                               PromptWeights weights, Conditioner.Listener listener) {
        Tokenizer tokenizer = files.tokenizer(encoder);
        Reader reader = new Reader(files, encoder, tokenizer, weights, listener, new ArrayList<>());
        Chunk.Ends ends = ends(tokenizer, false);
        int comma = tokenizer.encode(",")[1];
        List<List<Chunk>> all = new ArrayList<>();
        int most = 1;
        for (String prompt : prompts) {
            List<Chunk.Group> groups = reader.groups(prompt);
            List<Chunk> chunks = weights == PromptWeights.A1111 ? Chunk.a1111(groups, length, ends, comma)
                    : Chunk.comfyui(groups, length, ends);
            all.add(chunks);
            most = Math.max(most, chunks.size());
        }
        Chunk empty = Chunk.empty(length, ends);
        for (List<Chunk> chunks : all) {
            while (chunks.size() < most) {
                chunks.add(empty);
            }
        }
        return new WeightedTokens(all, empty, reader.inserted.toArray(float[][]::new));
    }

    /**
     * For T5: one chunk, from which what does not fit is cut.
     *
     * @param blank whether an empty prompt is padding alone
     */
    static WeightedTokens t5(ModelFiles files, List<String> prompts, int length, PromptWeights weights, boolean blank,
                             Conditioner.Listener listener) {
        Tokenizer tokenizer = files.tokenizer(Component.T5);
        Reader reader = new Reader(files, Component.T5, tokenizer, weights, listener, new ArrayList<>());
        Chunk.Ends ends = ends(tokenizer, true);
        List<List<Chunk>> all = new ArrayList<>();
        for (String prompt : prompts) {
            List<Chunk.Group> groups = reader.groups(prompt).stream().filter(group -> !group.isBreak()).toList();
            int used = groups.stream().mapToInt(group -> group.ids().length).sum() + 1;
            Chunk chunk = Chunk.cut(groups, length, ends);
            listener.tokenized(Component.T5, prompt, new Tokens(chunk.ids(), used, Math.max(0, used - length),
                    prompt));
            all.add(List.of(chunk));
        }
        return new WeightedTokens(all, blank ? Chunk.padding(length, ends) : Chunk.empty(length, ends), new float[0][]);
    }

    /** Chunks of each prompt. */
    int chunks() {
        return prompts.getFirst().size();
    }

    /** Ids of all chunks, and if wanted of the empty one behind each prompt's. */
    int[][] ids(boolean withEmpty) {
        List<int[]> ids = new ArrayList<>();
        for (List<Chunk> chunks : prompts) {
            chunks.forEach(chunk -> ids.add(chunk.ids()));
            if (withEmpty) {
                ids.add(empty.ids());
            }
        }
        return ids.toArray(int[][]::new);
    }
}
