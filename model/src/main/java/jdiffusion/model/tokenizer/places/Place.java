package jdiffusion.model.tokenizer.places;

import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.model.tokenizer.VocabularyFile;

/**
 * Where vocabularies are looked for.
 *
 * @param label   what it is called in messages
 * @param looked  the folders or files looked into, in short
 * @param chosen  whether the user named it: then what it has must serve
 * @param foreign whether it belongs to other models too: then a vocabulary must be the published one, if the encoder's
 *                table is as large as the published one
 * @param folders that may hold what is needed, best first; asked only when no place before had it
 * @param weights files of weights that may carry it
 */
public record Place(String label, String looked, boolean chosen, boolean foreign,
                    Function<Need, Stream<Path>> folders, List<Path> weights) {
    private static final int SHOWN = 4;

    /** Folders that belong to the model. */
    public static Place beside(Collection<Path> folders) {
        List<Path> distinct = folders.stream().distinct().toList();
        return new Place("beside the model", shown(distinct), false, false, need -> distinct.stream()
                .flatMap(folder -> below(folder, need)), List.of());
    }

    /** A folder that the user names: of tokenizers, or of a program that has some. */
    public static Place given(Path folder) {
        return new Place("given with --tokenizer", folder.toString(), true, false, need -> Stream.concat(
                below(folder, need), ProgramFolders.in(List.of(folder)).stream()), List.of());
    }

    /** Files of weights that may carry vocabularies. */
    public static Place inside(Collection<Path> weights) {
        List<Path> distinct = weights.stream().distinct().toList();
        return new Place("in the encoder's own file", shown(distinct), false, false, _ -> Stream.empty(), distinct);
    }

    /** The folder of the program in which a model lies. */
    public static Place program(Path model) {
        return new Place("in the folder of ComfyUI, Forge or SD.Next around it", "above " + model, false, true,
                _ -> ProgramFolders.around(model).stream(), List.of());
    }

    /** The user's own places, of which there may be none. */
    public static List<Place> of(UserPlaces user) {
        Stream<Place> own = Stream.ofNullable(user.own()).map(folder -> new Place("in jdiffusion's own folder",
                folder.toString(), false, true, need -> below(folder, need), List.of()));
        Stream<Place> hub = Stream.ofNullable(user.hub()).map(folder -> new Place("in Hugging Face's cache",
                folder.toString(), false, true, need -> HubTokenizers.folders(folder, need.kind()).stream(), List.of()));
        return Stream.concat(own, hub).toList();
    }

    /** The vocabularies here, best first; looked for one after the other as they are taken. */
    Stream<VocabularyFile> vocabularies(Need need) {
        return Stream.concat(folders.apply(need).flatMap(folder -> VocabularyFile.in(folder).stream()),
                weights.stream().flatMap(file -> VocabularyFile.of(file).stream()));
    }

    private static Stream<Path> below(Path folder, Need need) {
        return need.names().stream().map(folder::resolve);
    }

    private static String shown(List<Path> paths) {
        List<String> names = paths.stream().map(path -> path.toString().isEmpty() ? "." : path.toString()).toList();
        return String.join(", ", names.subList(0, Math.min(SHOWN, names.size())))
                + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more" : "");
    }
}
