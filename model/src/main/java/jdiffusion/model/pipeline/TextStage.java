package jdiffusion.model.pipeline;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.embedding.TextualInversion;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.tokenizer.Tokens;

/** From prompts to what the denoiser reads of them. */
record TextStage(ModelInfo model, Conditioner conditioner) {
    /** Characters of a text in a message. */
    private static final int SHOWN = 60;

    List<Conditioning> run(GenerationRequest request, Progress progress) {
        return run(List.of(request), progress).getFirst();
    }

    /** Of each request what it gets alone; each encoder's weights are opened once. */
    List<List<Conditioning>> run(List<GenerationRequest> requests, Progress progress) {
        Set<String> told = new HashSet<>();
        StageClock clock = new StageClock(Progress.Stage.ENCODE_TEXT, 0, progress);
        List<List<Conditioning>> all = conditioner.encode(requests.stream().map(request ->
                new Conditioner.Asked(request, request.guided())).toList(), new Conditioner.Listener() {
            @Override
            public void tokenized(Component encoder, String prompt, Tokens tokens) {
                if (tokens.cut() > 0) {
                    progress.note("the prompt is too long for " + model.files().architecture().folder(encoder) + ": "
                            + tokens.used() + " tokens of which " + tokens.cut() + " were cut, from \""
                            + beginning(tokens.cutText()) + "\" on");
                }
            }

            @Override
            public void without(Component encoder, TextualInversion inversion) {
                if (told.add(inversion.name() + encoder)) {
                    progress.note(encoder == Component.T5 ? "T5 reads the prompt without the embedding "
                            + inversion.name() + ", which is for CLIP"
                            : "the embedding " + inversion.name() + " has no vectors for "
                            + model.files().architecture().folder(encoder) + " (" + encoder.label()
                            + "), which reads the prompt without it: " + inversion.describe());
                }
            }

            @Override
            public void encoded(StageMemory memory) {
                clock.used(memory);
            }
        });
        clock.stop();
        return all;
    }

    /** Enough of a text to find it by, on one line. */
    private static String beginning(String text) {
        String line = text.replaceAll("[\\p{Cntrl}\\s]+", " ");
        return line.codePointCount(0, line.length()) <= SHOWN ? line
                : line.substring(0, line.offsetByCodePoints(0, SHOWN)) + "...";
    }
}
