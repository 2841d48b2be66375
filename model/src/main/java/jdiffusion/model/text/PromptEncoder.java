package jdiffusion.model.text;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.tokenizer.Tokens;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;

/**
 * Prompts to embeddings with the three text encoders of SD3, one after the other: each one's weights are open only
 * while it runs.
 */
public final class PromptEncoder {
    /** Tokens that CLIP reads. */
    public static final int CLIP_LENGTH = 77;
    /** T5 was trained with up to 512 tokens; its relative positions have no other limit. */
    public static final int T5_LONGEST = 512;

    private final Stages stages;
    private final ModelFiles files;

    /** Told of what each encoder could not take in, and of the memory it used. */
    public interface Listener {
        /** @param tokens ids and what was cut off, of one prompt for one encoder */
        void tokenized(Component encoder, String prompt, Tokens tokens);

        /** One encoder is done. */
        void encoded(StageMemory memory);
    }

    public PromptEncoder(Stages stages) {
        this.stages = stages;
        this.files = stages.files();
    }

    /** The encoders that are needed, kept on the device if nothing is offloaded. */
    public void hold(boolean useT5) {
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            if (files.has(clip)) {
                stages.hold(clip, ClipTextEncoder::load);
            }
        }
        if (useT5) {
            stages.hold(Component.T5, T5Encoder::load);
        }
    }

    /**
     * A CLIP encoder that was left out gives zeros; without either, the context is T5's rows alone (the rule of
     * ComfyUI's SD3ClipModel). Without T5 its rows are zero (the rule of diffusers).
     *
     * @param t5Length     tokens for T5
     * @param useT5        whether to run T5
     * @param contextWidth of the denoiser
     * @param pooledWidth  of the denoiser
     */
    public List<PromptEmbedding> encode(List<String> prompts, int t5Length, boolean useT5, int contextWidth,
                                        int pooledWidth, Listener listener) {
        checkT5Length(t5Length);
        Clip l = clip(Component.CLIP_L, prompts, listener);
        Clip g = clip(Component.CLIP_G, prompts, listener);
        // CLIP-L's pooled output is as wide as its hidden states.
        int left = l != null ? l.width : g != null ? pooledWidth - g.pooledWidth : 0;
        int right = g != null ? g.width : 0;
        if (left < 0 || left + right > contextWidth || l != null && g == null && l.pooledWidth > pooledWidth) {
            throw new InputException(files.origin() + ": the CLIP encoders are " + left + " and " + right
                    + " wide, which does not fit the denoiser's " + contextWidth + " and, pooled, " + pooledWidth
                    + "; do these components belong together?");
        }
        float[] t5 = useT5 ? t5(prompts, t5Length, contextWidth, listener) : null;

        List<PromptEmbedding> out = new ArrayList<>();
        int clipRows = l != null || g != null ? CLIP_LENGTH : 0;
        int tokens = clipRows + t5Length;
        int pooledSize = l != null && g != null ? l.pooledWidth + g.pooledWidth : pooledWidth;
        for (int p = 0; p < prompts.size(); p++) {
            float[] context = new float[tokens * contextWidth];
            float[] pooled = new float[pooledSize];
            if (l != null) {
                l.copy(p, context, contextWidth, 0, pooled, 0);
            }
            if (g != null) {
                g.copy(p, context, contextWidth, left, pooled, pooledSize - g.pooledWidth);
            }
            if (t5 != null) {
                int size = t5Length * contextWidth;
                System.arraycopy(t5, p * size, context, clipRows * contextWidth, size);
            }
            out.add(new PromptEmbedding(context, tokens, pooled));
        }
        return out;
    }

    /** Fails when T5 cannot be given that many tokens. */
    public static void checkT5Length(int t5Length) {
        if (t5Length < 1 || t5Length > T5_LONGEST) {
            throw new InputException("the T5 length is " + t5Length + "; use 1 to " + T5_LONGEST
                    + " tokens (77 and 256 are usual)");
        }
    }

    /** Fails when an encoder that is needed has no tokenizer. */
    public void checkTokenizers(boolean useT5) {
        for (Component encoder : Component.ENCODERS) {
            boolean t5 = encoder == Component.T5;
            if (files.has(encoder) && (useT5 || !t5)) {
                if (files.vocabulary(encoder) == null) {
                    // Its message is the one.
                    files.tokenizer(encoder);
                }
            }
        }
    }

    /** Fails when T5 is not this denoiser's; it runs last of the encoders, and much later than it is opened. */
    public void checkT5(int contextWidth) {
        try (ModelFiles.Open open = files.inspect(Component.T5)) {
            checkWidth(T5Encoder.load(Weights.of(open.tensors(), Placement.onHost()), open.config()),
                    open.tensors().origin(), contextWidth);
        }
    }

    private static void checkWidth(T5Encoder encoder, String origin, int contextWidth) {
        if (encoder.config().hidden() != contextWidth) {
            throw new InputException(origin + ": T5 is " + encoder.config().hidden()
                    + " wide, the denoiser's text input " + contextWidth
                    + "; these do not belong together, choose another T5 with --t5xxl");
        }
    }

    /** One CLIP encoder's output for all prompts, flattened. */
    private record Clip(float[] hidden, int width, float[] pooled, int pooledWidth) {
        /** One prompt's part to a column of the context and a place in the pooled embedding. */
        void copy(int prompt, float[] context, int contextWidth, int column, float[] toPooled, int at) {
            for (int i = 0; i < CLIP_LENGTH; i++) {
                System.arraycopy(hidden, (prompt * CLIP_LENGTH + i) * width, context, i * contextWidth + column,
                        width);
            }
            System.arraycopy(pooled, prompt * pooledWidth, toPooled, at, pooledWidth);
        }
    }

    /** Null when there is no such encoder. */
    private Clip clip(Component component, List<String> prompts, Listener listener) {
        if (!files.has(component)) {
            return null;
        }
        int[][] ids = tokenize(component, prompts, CLIP_LENGTH, listener);
        return stages.run(component, ClipTextEncoder::load, (Stage<ClipTextEncoder> stage) -> {
            ClipTextEncoder encoder = stage.model();
            checkVocabulary(component, ids, encoder.config().vocabulary());
            ClipTextEncoder.Output output = encoder.apply(stage.compute(), ids);
            return new Clip(stage.download(output.hidden()), encoder.config().hidden(),
                    stage.download(output.pooled()), encoder.config().projection());
        }, listener::encoded);
    }

    private float[] t5(List<String> prompts, int length, int contextWidth, Listener listener) {
        int[][] ids = tokenize(Component.T5, prompts, length, listener);
        return stages.run(Component.T5, T5Encoder::load, (Stage<T5Encoder> stage) -> {
            T5Encoder encoder = stage.model();
            checkWidth(encoder, files.origin(), contextWidth);
            checkVocabulary(Component.T5, ids, encoder.config().vocabulary());
            return stage.download(encoder.apply(stage.compute(), ids));
        }, listener::encoded);
    }

    /** Token ids of each prompt; to count memory their number is enough. */
    private int[][] tokenize(Component component, List<String> prompts, int length, Listener listener) {
        if (stages.counting()) {
            return new int[prompts.size()][length];
        }
        var tokenizer = files.tokenizer(component);
        int[][] ids = new int[prompts.size()][];
        for (int i = 0; i < ids.length; i++) {
            Tokens tokens = tokenizer.encode(prompts.get(i), length);
            listener.tokenized(component, prompts.get(i), tokens);
            ids[i] = tokens.ids();
        }
        return ids;
    }

    private void checkVocabulary(Component component, int[][] ids, int vocabulary) {
        for (int[] row : ids) {
            for (int id : row) {
                if (id >= vocabulary) {
                    throw new InputException(files.origin() + ": the " + component.tokenizerFolder() + " gave id " + id
                            + ", the " + component.folder() + " knows " + vocabulary
                            + " tokens; these two do not belong together");
                }
            }
        }
    }
}
