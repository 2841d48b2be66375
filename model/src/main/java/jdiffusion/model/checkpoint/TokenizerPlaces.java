package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.InputException;

/**
 * Looks for tokenizer files beside weights that come without. Both CLIP encoders have the same vocabulary, so one set
 * of files serves both; they pad differently, whatever the files say.
 *
 * @param folders in the order in which they are looked into
 */
record TokenizerPlaces(List<Path> folders) {
    private static final List<String> CLIP = List.of("tokenizer", "tokenizer_2", "tokenizers/clip", "clip", "");
    private static final List<String> T5 = List.of("tokenizer_3", "tokenizers/t5", "t5", "");

    TokenizerPlaces {
        folders = List.copyOf(new LinkedHashSet<>(folders));
    }

    /** Where the files are; null when they are in none of the places. */
    Path find(Component component) {
        boolean t5 = component == Component.T5;
        for (Path folder : folders) {
            for (String name : names(component)) {
                Path place = folder.resolve(name);
                if (t5 ? Tokenizer.hasT5(place) : Tokenizer.hasClip(place)) {
                    return place;
                }
            }
        }
        return null;
    }

    /** The encoder's own folder first. */
    private static List<String> names(Component component) {
        return switch (component) {
            case T5 -> T5;
            case CLIP_G -> Stream.concat(Stream.of(component.tokenizerFolder()), CLIP.stream()).toList();
            default -> CLIP;
        };
    }

    /** @throws InputException when there are no such files in any of the places */
    Tokenizer load(Component component) {
        boolean t5 = component == Component.T5;
        Path found = find(component);
        if (found != null) {
            return t5 ? Tokenizer.t5(found) : Tokenizer.clip(found, component == Component.CLIP_L);
        }
        String places = folders.stream().map(Path::toString).collect(Collectors.joining(", "));
        throw new InputException("no tokenizer for " + component.label() + ": " + (t5 ? Tokenizer.T5_FILES
                : Tokenizer.CLIP_FILES) + " of the model's " + component.tokenizerFolder()
                + " folder is in none of " + places + ", nor in their folders "
                + (t5 ? T5 : CLIP).stream().filter(name -> !name.isEmpty()).collect(Collectors.joining(", "))
                + "; give a folder that has it with --tokenizer");
    }
}
