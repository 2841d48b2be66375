package jdiffusion.model.family;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.prompt.Chunk;
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
     * @param hidden [prompts, tokens, width] the penultimate hidden state, or one before it
     * @param tokens CLIP_LENGTH, or several times as many
     * @param pooled [prompts, pooledWidth]; empty when none was asked for
     * @param before sums of the numbers of each chunk before weights acted on them; empty where none are to be restored
     * @param after  the same afterwards
     */
    public record Clip(float[] hidden, int tokens, int width, float[] pooled, int pooledWidth, double[] before,
                       double[] after) {
        /**
         * Multiplies so that each chunk has the mean that it had before its weights, as A1111 does.
         *
         * @param together encoders whose outputs stand side by side and have one mean; null for one that is not there
         */
        public static void restoreMeans(Clip... together) {
            List<Clip> all = Arrays.stream(together).filter(Objects::nonNull).toList();
            int chunks = all.stream().mapToInt(clip -> clip.before.length).min().orElse(0);
            for (int i = 0; i < chunks; i++) {
                int chunk = i;
                double before = all.stream().mapToDouble(clip -> clip.before[chunk]).sum();
                double after = all.stream().mapToDouble(clip -> clip.after[chunk]).sum();
                for (Clip clip : all) {
                    int size = CLIP_LENGTH * clip.width;
                    for (int k = i * size; k < (i + 1) * size && before != after && after != 0; k++) {
                        clip.hidden[k] = (float) (clip.hidden[k] * (before / after));
                    }
                }
            }
        }

        /** One prompt's part to a column of the context and a place in the pooled embedding. */
        public void copy(int prompt, float[] context, int contextWidth, int column, float[] toPooled, int at) {
            for (int i = 0; i < tokens && (i + 1) * contextWidth <= context.length; i++) {
                System.arraycopy(hidden, (prompt * tokens + i) * width, context, i * contextWidth + column,
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
        return clip(encoder, prompts, PromptWeights.NONE, new int[prompts.size()], ClipTextEncoder.Pooled.PROJECTED,
                listener);
    }

    /**
     * Null when there is no such encoder.
     *
     * @param weights how brackets in the prompts are read
     * @param skipped layers left out of each prompt's hidden state: see {@link ClipTextEncoder#apply}
     * @param pooled  what is made of the final state
     */
    public Clip clip(Component encoder, List<String> prompts, PromptWeights weights, int[] skipped,
                     ClipTextEncoder.Pooled pooled, Conditioner.Listener listener) {
        if (!files.has(encoder)) {
            return null;
        }
        if (weights != PromptWeights.NONE) {
            return weighted(encoder, prompts, weights, skipped, pooled, listener);
        }
        PromptTokens tokens = tokenize(encoder, prompts, CLIP_LENGTH, listener);
        return stages.run(encoder, ClipTextEncoder::load, (Stage<ClipTextEncoder> stage) -> {
            ClipTextEncoder model = stage.model();
            checkVocabulary(encoder, tokens.ids(), model.config().vocabulary());
            ClipTextEncoder.Output output = model.apply(stage.compute(), tokens.ids(), tokens.inserted(), skipped,
                    pooled);
            boolean none = output.pooled() == null;
            return new Clip(stage.download(output.hidden()), CLIP_LENGTH, model.config().hidden(),
                    none ? new float[0] : stage.download(output.pooled()), none ? 0 : output.pooled().cols(),
                    new double[0], new double[0]);
        }, listener::encoded);
    }

    /** In chunks, whose outputs stand one after the other; pooled is what the first one gives. */
    private Clip weighted(Component encoder, List<String> prompts, PromptWeights weights, int[] skipped,
                          ClipTextEncoder.Pooled pooled, Conditioner.Listener listener) {
        boolean comfy = weights == PromptWeights.COMFYUI;
        WeightedTokens tokens = WeightedTokens.clip(files, encoder, prompts, CLIP_LENGTH, weights, listener);
        int[][] ids = tokens.ids(comfy);
        int each = ids.length / prompts.size();
        int chunks = tokens.chunks();
        int[] skips = new int[ids.length];
        Arrays.setAll(skips, i -> skipped[i / each]);
        return stages.run(encoder, ClipTextEncoder::load, (Stage<ClipTextEncoder> stage) -> {
            ClipTextEncoder model = stage.model();
            checkVocabulary(encoder, ids, model.config().vocabulary());
            ClipTextEncoder.Output output = model.apply(stage.compute(), ids, tokens.inserted(), skips, pooled);
            float[] all = stage.download(output.hidden());
            float[] ends = output.pooled() == null ? new float[0] : stage.download(output.pooled());
            int width = model.config().hidden();
            int ended = ends.length / ids.length;
            int size = CLIP_LENGTH * width;
            float[] hidden = new float[prompts.size() * chunks * size];
            float[] first = new float[prompts.size() * ended];
            double[] before = new double[comfy ? 0 : prompts.size() * chunks];
            double[] after = new double[before.length];
            for (int p = 0; p < prompts.size(); p++) {
                for (int c = 0; c < chunks; c++) {
                    Chunk chunk = tokens.prompts().get(p).get(c);
                    int at = (p * each + c) * size;
                    if (comfy) {
                        WeightedOutput.interpolate(all, at, (p * each + chunks) * size, chunk, width);
                    } else {
                        before[p * chunks + c] = WeightedOutput.sum(all, at, size);
                        WeightedOutput.multiply(all, at, chunk, width);
                        after[p * chunks + c] = WeightedOutput.sum(all, at, size);
                    }
                    System.arraycopy(all, at, hidden, (p * chunks + c) * size, size);
                }
                System.arraycopy(ends, p * each * ended, first, p * ended, ended);
            }
            return new Clip(hidden, chunks * CLIP_LENGTH, width, first, ended, before, after);
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

    /** Without a mask, with weights where they are read; A1111 reads them, and T5's output is without. */
    public float[] t5(List<String> prompts, int length, PromptWeights weights, BiConsumer<T5Encoder, String> check,
                      Conditioner.Listener listener) {
        if (weights == PromptWeights.NONE) {
            return t5(prompts, length, check, listener);
        }
        boolean comfy = weights == PromptWeights.COMFYUI;
        WeightedTokens tokens = WeightedTokens.t5(files, prompts, length, weights, listener);
        int[][] ids = tokens.ids(comfy);
        int each = ids.length / prompts.size();
        return stages.run(Component.T5, T5Encoder::load, (Stage<T5Encoder> stage) -> {
            check.accept(stage.model(), files.origin());
            checkVocabulary(Component.T5, ids, stage.model().config().vocabulary());
            float[] all = stage.download(stage.model().apply(stage.compute(), ids, null));
            int width = stage.model().config().hidden();
            int size = length * width;
            float[] out = new float[prompts.size() * size];
            for (int p = 0; p < prompts.size(); p++) {
                if (comfy) {
                    WeightedOutput.interpolate(all, p * each * size, (p * each + 1) * size,
                            tokens.prompts().get(p).getFirst(), width);
                }
                System.arraycopy(all, p * each * size, out, p * size, size);
            }
            return out;
        }, listener::encoded);
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
