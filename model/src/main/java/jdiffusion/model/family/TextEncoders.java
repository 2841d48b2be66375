package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;
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

    /**
     * What one CLIP encoder gives for each request; null for each when there is no such encoder.
     *
     * @param requests null for one that it has nothing to read of
     * @param pooled   what is made of the final state
     */
    public List<ClipStates> clip(Component encoder, List<Texts> requests, ClipTextEncoder.Pooled pooled,
                           Conditioner.Listener listener) {
        if (!files.has(encoder)) {
            return Collections.nCopies(requests.size(), null);
        }
        return run(encoder, ClipTextEncoder::load, requests, texts -> texts.weights() == PromptWeights.NONE
                ? plain(encoder, texts, pooled, listener) : weighted(encoder, texts, pooled, listener),
                ClipStates::rows, listener);
    }

    /** Reads tokens of all texts before any weights are opened. */
    private <M, T> List<T> run(Component encoder, Stage.Loader<M> loader, List<Texts> requests,
                               Function<Texts, Stage.Work<M, T>> work, BiFunction<List<T>, int[], T> rows,
                               Conditioner.Listener listener) {
        TextBatches batches = TextBatches.of(requests);
        List<Stage.Work<M, T>> works = batches.pieces().stream().map(work).toList();
        if (works.isEmpty()) {
            return Collections.nCopies(requests.size(), null);
        }
        return batches.joined(stages.run(encoder, loader, (Stage<M> stage) -> {
            List<T> outputs = new ArrayList<>();
            for (Stage.Work<M, T> one : works) {
                try (var _ = stage.compute().workspace().scope()) {
                    outputs.add(one.run(stage));
                }
            }
            return outputs;
        }, listener::encoded), rows);
    }

    private Stage.Work<ClipTextEncoder, ClipStates> plain(Component encoder, Texts texts, ClipTextEncoder.Pooled pooled,
                                                          Conditioner.Listener listener) {
        PromptTokens tokens = tokenize(encoder, texts, listener);
        int[] skipped = texts.skipped().stream().mapToInt(i -> i).toArray();
        return stage -> {
            ClipTextEncoder model = stage.model();
            checkVocabulary(encoder, tokens.ids(), model.config().vocabulary());
            ClipTextEncoder.Output output = model.apply(stage.compute(), tokens.ids(), tokens.inserted(), skipped,
                    pooled);
            boolean none = output.pooled() == null;
            return new ClipStates(stage.download(output.hidden()), CLIP_LENGTH, model.config().hidden(),
                    none ? new float[0] : stage.download(output.pooled()), none ? 0 : output.pooled().cols(),
                    new double[0], new double[0]);
        };
    }

    /** In chunks, whose outputs stand one after the other; pooled is what the first one gives. */
    private Stage.Work<ClipTextEncoder, ClipStates> weighted(Component encoder, Texts texts,
                                                             ClipTextEncoder.Pooled pooled,
                                                             Conditioner.Listener listener) {
        boolean comfy = texts.weights() == PromptWeights.COMFYUI;
        List<String> prompts = texts.prompts();
        WeightedTokens tokens = WeightedTokens.clip(files, encoder, prompts, CLIP_LENGTH, texts.weights(), listener);
        int[][] ids = tokens.ids(comfy);
        int each = ids.length / prompts.size();
        int chunks = tokens.chunks();
        int[] skips = new int[ids.length];
        Arrays.setAll(skips, i -> texts.skipped().get(i / each));
        return stage -> {
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
            return new ClipStates(hidden, chunks * CLIP_LENGTH, width, first, ended, before, after);
        };
    }

    /**
     * T5's or UMT5's output for all prompts of a request.
     *
     * @param hidden [prompts, length, width], rows of padding too
     * @param counts [prompts] of rows that are no padding
     */
    public record Masked(float[] hidden, int[] counts) {
        /** One row each of some outputs. */
        static Masked rows(List<Masked> outputs, int[] rows) {
            int[] counts = new int[rows.length];
            Arrays.setAll(counts, i -> outputs.get(i).counts[rows[i]]);
            return new Masked(joined(outputs.stream().map(Masked::hidden).toList(), outputs.stream().mapToInt(
                    output -> output.hidden.length / output.counts.length).toArray(), rows), counts);
        }
    }

    /** One row of each array, one after the other. */
    static float[] joined(List<float[]> arrays, int[] sizes, int[] rows) {
        float[] all = new float[Arrays.stream(sizes).sum()];
        int at = 0;
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(arrays.get(i), rows[i] * sizes[i], all, at, sizes[i]);
            at += sizes[i];
        }
        return all;
    }

    /**
     * How a family's T5 reads.
     *
     * @param masked     whether padding is not attended to
     * @param emphasised whether weights as A1111 has them act on its output, as in Forge for FLUX; A1111 itself leaves
     *                   T5's as it is
     * @param blank      whether what ComfyUI takes for an empty prompt is padding alone, and not an end with padding
     */
    public record Reading(boolean masked, boolean emphasised, boolean blank) {
    }

    /**
     * What T5 gives for each request.
     *
     * @param requests null for one that it has nothing to read of
     * @param check    of the encoder, with what names its files
     */
    public List<Masked> t5(List<Texts> requests, Reading reading, BiConsumer<T5Encoder, String> check,
                           Conditioner.Listener listener) {
        return run(Component.T5, T5Encoder::load, requests, texts -> texts.weights() == PromptWeights.NONE
                ? plain(texts, reading.masked, check, listener) : weighted(texts, reading, check, listener),
                Masked::rows, listener);
    }

    private Stage.Work<T5Encoder, Masked> plain(Texts texts, boolean masked, BiConsumer<T5Encoder, String> check,
                                                Conditioner.Listener listener) {
        PromptTokens tokens = tokenize(Component.T5, texts, listener);
        return stage -> {
            check.accept(stage.model(), files.origin());
            checkVocabulary(Component.T5, tokens.ids(), stage.model().config().vocabulary());
            Tensor out = stage.model().apply(stage.compute(), tokens.ids(), masked ? tokens.counts() : null);
            return new Masked(stage.download(out), tokens.counts());
        };
    }

    private Stage.Work<T5Encoder, Masked> weighted(Texts texts, Reading reading, BiConsumer<T5Encoder, String> check,
                                                   Conditioner.Listener listener) {
        boolean comfy = texts.weights() == PromptWeights.COMFYUI;
        List<String> prompts = texts.prompts();
        WeightedTokens tokens = WeightedTokens.t5(files, prompts, texts.length(), texts.weights(), reading.blank,
                listener);
        int[][] ids = tokens.ids(comfy);
        int each = ids.length / prompts.size();
        int[] used = prompts.isEmpty() ? new int[0] : tokens.prompts().stream()
                .mapToInt(chunks -> chunks.getFirst().used()).toArray();
        int[] counts = new int[ids.length];
        // Padding alone is as long as the prompt that it is compared with.
        Arrays.setAll(counts, i -> i % each == 0 || reading.blank ? used[i / each] : tokens.empty().used());
        return stage -> {
            check.accept(stage.model(), files.origin());
            checkVocabulary(Component.T5, ids, stage.model().config().vocabulary());
            float[] all = stage.download(stage.model().apply(stage.compute(), ids, reading.masked ? counts : null));
            int width = stage.model().config().hidden();
            int size = texts.length() * width;
            float[] out = new float[prompts.size() * size];
            for (int p = 0; p < prompts.size(); p++) {
                Chunk chunk = tokens.prompts().get(p).getFirst();
                int at = p * each * size;
                if (comfy) {
                    int empty = at + size;
                    if (reading.masked) {
                        Arrays.fill(all, empty + counts[p * each + 1] * width, empty + size, 0);
                    }
                    WeightedOutput.interpolate(all, at, empty, chunk, width);
                } else if (reading.emphasised) {
                    WeightedOutput.emphasise(all, at, reading.masked ? used[p] : texts.length(), chunk, width);
                }
                System.arraycopy(all, at, out, p * size, size);
            }
            return new Masked(out, used);
        };
    }

    /** Token ids of each prompt; to count memory their number is enough. */
    private PromptTokens tokenize(Component encoder, Texts texts, Conditioner.Listener listener) {
        int count = texts.prompts().size();
        return stages.counting() ? new PromptTokens(new int[count][texts.length()], new int[count], new float[0][])
                : PromptTokens.of(files, encoder, texts.prompts(), texts.length(), listener);
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
