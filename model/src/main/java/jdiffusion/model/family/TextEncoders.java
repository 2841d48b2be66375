package jdiffusion.model.family;

import java.util.List;
import java.util.function.BiConsumer;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;

/** Runs the text encoders that families share, from prompts to numbers on the host. */
public final class TextEncoders {
    /** Tokens that CLIP reads. */
    public static final int CLIP_LENGTH = 77;
    /** T5 was trained with up to 512 tokens; its relative positions have no other limit. */
    public static final int T5_LONGEST = 512;

    private final Stages stages;
    private final ModelFiles files;

    public TextEncoders(Stages stages) {
        this.stages = stages;
        this.files = stages.files();
    }

    /**
     * One CLIP encoder's output for all prompts, flattened.
     *
     * @param hidden [prompts, CLIP_LENGTH, width] the penultimate hidden state, or one before it
     * @param pooled [prompts, pooledWidth]; empty when none was asked for
     */
    public record Clip(float[] hidden, int width, float[] pooled, int pooledWidth) {
        /** One prompt's part to a column of the context and a place in the pooled embedding. */
        public void copy(int prompt, float[] context, int contextWidth, int column, float[] toPooled, int at) {
            for (int i = 0; i < CLIP_LENGTH; i++) {
                System.arraycopy(hidden, (prompt * CLIP_LENGTH + i) * width, context, i * contextWidth + column,
                        width);
            }
            System.arraycopy(pooled, prompt * pooledWidth, toPooled, at, pooledWidth);
        }
    }

    /** An encoder, kept on the device if nothing is offloaded; nothing is done where there is none. */
    public void hold(Component encoder) {
        if (files.has(encoder)) {
            stages.hold(encoder, encoder == Component.T5 ? T5Encoder::load : ClipTextEncoder::load);
        }
    }

    /** Fails when an encoder that is there has no tokenizer. */
    public void checkTokenizer(Component encoder) {
        if (files.has(encoder) && !stages.counting() && files.vocabulary(encoder) == null) {
            // Its message is the one.
            files.tokenizer(encoder);
        }
    }

    /** Fails when T5 cannot be given that many tokens. */
    public static void checkT5Length(int t5Length) {
        if (t5Length < 1 || t5Length > T5_LONGEST) {
            throw new InputException("the T5 length is " + t5Length + "; use 1 to " + T5_LONGEST
                    + " tokens (77, 256 and 512 are usual)");
        }
    }

    /**
     * Fails when T5 is not a denoiser's; it runs last of the encoders, and much later than it is opened.
     *
     * @param width of the denoiser's text input
     */
    public void checkT5(int width) {
        try (ModelFiles.Open open = files.inspect(Component.T5)) {
            checkT5Width(T5Encoder.load(Weights.of(open.tensors(), Placement.onHost()), open.config()),
                    open.tensors().origin(), width);
        }
    }

    /** The same of an encoder that is open. */
    public static void checkT5Width(T5Encoder encoder, String origin, int width) {
        if (encoder.config().hidden() != width) {
            throw new InputException(origin + ": T5 is " + encoder.config().hidden()
                    + " wide, the denoiser's text input " + width
                    + "; these do not belong together, choose another T5 with --t5xxl");
        }
    }

    /**
     * Fails when an encoder that is there has too few layers.
     *
     * @param skipped layers that the prompt leaves out
     */
    public void checkClipSkip(Component encoder, int skipped) {
        if (skipped == 0 || !files.has(encoder)) {
            return;
        }
        try (ModelFiles.Open open = files.inspect(encoder)) {
            ClipTextEncoder.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).checkSkipped(skipped);
        }
    }

    /** The penultimate hidden states and the projected pooled outputs; null when there is no such encoder. */
    public Clip clip(Component encoder, List<String> prompts, Conditioner.Listener listener) {
        return clip(encoder, prompts, new int[prompts.size()], ClipTextEncoder.Pooled.PROJECTED, listener);
    }

    /**
     * Null when there is no such encoder.
     *
     * @param skipped layers left out of each prompt's hidden state: see {@link ClipTextEncoder#apply}
     * @param pooled  what is made of the final state
     */
    public Clip clip(Component encoder, List<String> prompts, int[] skipped, ClipTextEncoder.Pooled pooled,
                     Conditioner.Listener listener) {
        if (!files.has(encoder)) {
            return null;
        }
        PromptTokens tokens = tokenize(encoder, prompts, CLIP_LENGTH, listener);
        return stages.run(encoder, ClipTextEncoder::load, (Stage<ClipTextEncoder> stage) -> {
            ClipTextEncoder model = stage.model();
            checkVocabulary(encoder, tokens.ids(), model.config().vocabulary());
            ClipTextEncoder.Output output = model.apply(stage.compute(), tokens.ids(), tokens.inserted(), skipped,
                    pooled);
            boolean none = output.pooled() == null;
            return new Clip(stage.download(output.hidden()), model.config().hidden(),
                    none ? new float[0] : stage.download(output.pooled()), none ? 0 : output.pooled().cols());
        }, listener::encoded);
    }

    /**
     * T5's or UMT5's output for all prompts.
     *
     * @param hidden [prompts, length, width], rows of padding too
     * @param counts [prompts] of rows that are no padding
     */
    public record Masked(float[] hidden, int[] counts) {
    }

    /**
     * Without a mask.
     *
     * @param check of the encoder, with what names its files
     * @return [prompts, length, width]
     */
    public float[] t5(List<String> prompts, int length, BiConsumer<T5Encoder, String> check,
                      Conditioner.Listener listener) {
        return t5(prompts, length, false, check, listener).hidden();
    }

    /** The same where padding is not attended to. */
    public Masked maskedT5(List<String> prompts, int length, BiConsumer<T5Encoder, String> check,
                           Conditioner.Listener listener) {
        return t5(prompts, length, true, check, listener);
    }

    private Masked t5(List<String> prompts, int length, boolean masked, BiConsumer<T5Encoder, String> check,
                      Conditioner.Listener listener) {
        PromptTokens tokens = tokenize(Component.T5, prompts, length, listener);
        return stages.run(Component.T5, T5Encoder::load, (Stage<T5Encoder> stage) -> {
            check.accept(stage.model(), files.origin());
            checkVocabulary(Component.T5, tokens.ids(), stage.model().config().vocabulary());
            Tensor out = stage.model().apply(stage.compute(), tokens.ids(), masked ? tokens.counts() : null);
            return new Masked(stage.download(out), tokens.counts());
        }, listener::encoded);
    }

    /** Token ids of each prompt; to count memory their number is enough. */
    private PromptTokens tokenize(Component encoder, List<String> prompts, int length,
                                  Conditioner.Listener listener) {
        return stages.counting() ? new PromptTokens(new int[prompts.size()][length], new int[prompts.size()],
                new float[0][]) : PromptTokens.of(files, encoder, prompts, length, listener);
    }

    private void checkVocabulary(Component encoder, int[][] ids, int vocabulary) {
        for (int[] row : ids) {
            for (int id : row) {
                if (id >= vocabulary) {
                    throw new InputException(files.origin() + ": the " + files.architecture().tokenizerFolder(encoder)
                            + " gave id " + id + ", the " + files.architecture().folder(encoder) + " knows "
                            + vocabulary + " tokens; these two do not belong together");
                }
            }
        }
    }
}
