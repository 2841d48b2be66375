package jdiffusion.model.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.tokenizer.places.Place;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * Finds out what a path that the user gives as a model is, and what belongs to it.
 *
 * @param known the architectures whose files can be read; where names leave it open, the first that fits is meant
 */
public record Models(List<? extends Architecture> known) {
    /** What the Hugging Face libraries call the weights of one component. */
    private static final Pattern COMPONENT = Pattern.compile("(model|diffusion_pytorch_model)\\..*");

    public Models {
        known = List.copyOf(known);
    }

    /**
     * Opens a folder in the diffusers layout; a file of weights in any layout, with what it lacks from the files
     * beside it; a folder of such files; or that of a repository in the cache of Hugging Face's tools. Weights are not
     * read yet.
     *
     * @throws InputException when it is no model, or files contradict each other
     */
    public ModelFiles open(Path model, ModelSources extra) {
        if (!Files.exists(model)) {
            throw new InputException(model + ": there is no such model; give a folder in the diffusers layout or a"
                    + " .safetensors or .gguf file");
        }
        Path files = HubCache.snapshot(model);
        if (InputFile.isThere(files.resolve(DiffusersFolder.INDEX))) {
            return withExtra(DiffusersFolder.open(files, known), files, extra);
        }
        return Files.isDirectory(files) ? ofFolder(files, extra) : ofFile(files, extra);
    }

    /** Whether a folder looks like a model, of which nothing is checked. */
    public static boolean isModel(Path folder) {
        return Files.isDirectory(folder)
                && (InputFile.isThere(folder.resolve(DiffusersFolder.INDEX)) || !weights(folder).isEmpty());
    }

    /**
     * The components of a file of weights, or of a folder with one component, and nothing that lies elsewhere; null
     * for a folder that is a model.
     *
     * @throws InputException when it is neither, or the file holds nothing that is known
     */
    public ModelFiles openParts(Path given) {
        if (!Files.isDirectory(given)) {
            return parts(given, List.of());
        }
        Path path = HubCache.snapshot(given);
        if (InputFile.isThere(path.resolve(DiffusersFolder.INDEX))) {
            return null;
        }
        List<Path> files = weights(path);
        if (files.isEmpty()) {
            throw new InputException(path + ": neither a model (" + DiffusersFolder.INDEX + ") nor a component"
                    + " (config.json with " + WeightsFile.SAFETENSORS + " files) is in this folder");
        }
        List<Path> named = files.stream().filter(file -> COMPONENT.matcher(file.getFileName().toString()).matches())
                .sorted(Comparator.comparingInt(file -> file.getFileName().toString().length())).toList();
        return named.isEmpty() ? null : parts(named.getFirst(), named.size() == 1 ? List.of()
                : List.of(named.getFirst().getFileName() + " is taken, not " + named.stream().skip(1)
                        .map(file -> file.getFileName().toString()).collect(Collectors.joining(", "))));
    }

    private ModelFiles parts(Path file, List<String> choices) {
        List<String> notes = new ArrayList<>(choices);
        Architecture architecture = architecture(List.of(file));
        return new Assembled(file, null, architecture, contents(file, architecture, notes), Map.of(),
                ModelSources.NONE, null, notes);
    }

    private ModelFiles withExtra(ModelFiles base, Path model, ModelSources extra) {
        if (extra.isNothing()) {
            return base;
        }
        List<String> notes = new ArrayList<>();
        Architecture architecture = base.architecture();
        Map<Component, ComponentFile> files = given(extra, architecture, notes);
        return new Assembled(model, base, architecture, files, Map.of(), extra,
                extra.tokenizer() == null ? null : places(model, List.of(model), files, extra), notes);
    }

    private ModelFiles ofFile(Path file, ModelSources extra) {
        Map<Component, ComponentFile> files = new EnumMap<>(Component.class);
        List<String> notes = new ArrayList<>();
        Architecture architecture = architecture(List.of(extra.files().getOrDefault(Component.DENOISER, file)));
        files.putAll(contents(file, architecture, notes));
        if (!files.containsKey(Component.DENOISER) && !extra.files().containsKey(Component.DENOISER)) {
            throw new InputException(file + ": holds " + labels(files) + ", but no denoiser; give the denoiser's file"
                    + " as the model" + files.keySet().stream().findFirst()
                            .map(c -> " and this one with " + Beside.option(c)).orElse(""));
        }
        return assemble(file, architecture, files, extra, notes);
    }

    /** The files of a folder belong together, so no two may hold the same; those of no network are left aside. */
    private ModelFiles ofFolder(Path folder, ModelSources extra) {
        Map<Component, ComponentFile> files = new EnumMap<>(Component.class);
        List<String> notes = new ArrayList<>();
        List<Path> weights = weights(folder);
        Path given = extra.files().get(Component.DENOISER);
        Architecture architecture = architecture(given == null ? weights : List.of(given));
        for (Path file : weights) {
            if (isForeign(file, architecture)) {
                notes.add(file.getFileName() + " is left aside: " + foreign(file));
                continue;
            }
            contents(file, architecture, notes).forEach((component, found) -> {
                ComponentFile other = extra.files().containsKey(component) ? null : files.get(component);
                if (other != null) {
                    throw new InputException(folder + ": both " + other.file().getFileName() + " and "
                            + file.getFileName() + " hold " + component.label() + "; give "
                            + (component == Component.DENOISER ? "one of the files as the model"
                            : "the denoiser's file as the model, or choose with " + Beside.option(component)));
                }
                files.put(component, found);
            });
        }
        if (!files.containsKey(Component.DENOISER) && !extra.files().containsKey(Component.DENOISER)) {
            throw new InputException(folder + ": not a model in the diffusers layout (it has no "
                    + DiffusersFolder.INDEX + "), and " + (files.isEmpty()
                    ? notes.isEmpty() ? "no .safetensors or .gguf file is in it" : String.join("; ", notes)
                    : "its files hold " + labels(files) + " but no denoiser"));
        }
        return assemble(folder, architecture, files, extra, notes);
    }

    private static List<Path> weights(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(WeightsFile::isWhole).sorted().toList();
        } catch (IOException e) {
            throw InputFile.unreadable(folder, e);
        }
    }

    /** Why a file is no part of a model. */
    private static String foreign(Path file) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            return LeftAside.isAdapter(weights.tensors().names()) ? "it is a LoRA, which --lora adds to a model"
                    : "its tensors are of no network that is known here";
        }
    }

    private static boolean isForeign(Path file, Architecture architecture) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            return Contents.of(weights.tensors(), Beside.place(file), architecture).parts().isEmpty();
        }
    }

    /** All components of a file that is a model or a part of one. */
    private Map<Component, ComponentFile> contents(Path file, Architecture architecture, List<String> notes) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            TensorSource tensors = weights.tensors();
            Contents contents = Contents.of(tensors, Beside.place(file), architecture);
            refuseEmpty(file, tensors);
            if (contents.parts().isEmpty()) {
                if (LeftAside.isAdapter(tensors.names())) {
                    throw new InputException(file + ": is a LoRA; give it with --lora, and the model that it is for with"
                            + " --model");
                }
                refuseStranger(file, tensors);
                throw new InputException(file + ": its tensors are of no network that is known here ("
                        + networks() + "): " + Contents.shown(List.copyOf(tensors.names()))
                        + "; give a file of " + labels(known) + " model");
            }
            contents.refuseStrays(tensors);
            contents.note(file, notes);
            return Beside.components(file, architecture, contents);
        }
    }

    private static void refuseEmpty(Path file, TensorSource tensors) {
        if (tensors.names().isEmpty()) {
            throw new InputException(file + ": holds no tensors at all; download it again");
        }
    }

    private void refuseStranger(Path file, TensorSource tensors) {
        String stranger = known.stream().map(one -> one.stranger(tensors.names())).filter(Objects::nonNull).findFirst()
                .orElse(null);
        if (stranger != null) {
            throw new InputException(file + ": " + stranger);
        }
    }

    /** The components that the user names files for. */
    private static Map<Component, ComponentFile> given(ModelSources extra, Architecture architecture,
                                                       List<String> notes) {
        Map<Component, ComponentFile> files = new EnumMap<>(Component.class);
        extra.files().forEach((component, file) -> files.put(component,
                given(component, file, architecture, notes)));
        return files;
    }

    private static ComponentFile given(Component component, Path path, Architecture architecture,
                                       List<String> notes) {
        if (!architecture.components().contains(component)) {
            throw new InputException(path + ": given with " + Beside.option(component) + ", but " + architecture.label()
                    + " has no " + component.label() + "; leave the option out");
        }
        List<Path> inFolder = Files.isDirectory(path)
                ? Checkpoint.candidates(HubCache.snapshot(path), component.weights()) : List.of();
        Path file = inFolder.isEmpty() ? path : inFolder.getFirst();
        try (WeightsFile weights = WeightsFile.open(file)) {
            TensorSource tensors = weights.tensors();
            Contents contents = Contents.of(tensors, Beside.place(file), architecture)
                    .withClipAs(component, tensors);
            refuseEmpty(file, tensors);
            ComponentFile found = Beside.components(file, architecture, contents).get(component);
            if (found == null) {
                throw new InputException(file + ": given with " + Beside.option(component) + ", but it holds "
                        + (contents.parts().isEmpty() ? "no network that is known here"
                        : contents.parts().keySet().stream().map(Component::label)
                                .collect(Collectors.joining(", ")) + " and not " + component.label())
                        + ": its tensors are " + Contents.shown(List.copyOf(tensors.names())));
            }
            contents.note(file, notes);
            return found;
        }
    }

    /**
     * @param files of the model itself
     * @param notes added to
     */
    private static ModelFiles assemble(Path model, Architecture architecture, Map<Component, ComponentFile> files,
                                       ModelSources extra, List<String> notes) {
        boolean ownEncoders = Component.ENCODERS.stream().anyMatch(files::containsKey) && !Files.isDirectory(model);
        String holds = labels(files);
        files.putAll(given(extra, architecture, notes));
        ComponentFile denoiser = files.get(Component.DENOISER);
        Path folder = folderOf(denoiser.file());
        Map<Component, String> missing = new EnumMap<>(Component.class);
        Beside beside;
        Set<Component> read;
        try (ModelFiles.Open open = denoiser.open()) {
            beside = new Beside(folder, architecture, open.tensors(), notes);
            read = architecture.components().stream()
                    .filter(component -> architecture.isRead(component, open.tensors()))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
        for (Component component : read) {
            if (files.containsKey(component) || extra.leftOut().contains(component)) {
                continue;
            }
            boolean encoder = component.isEncoder();
            if (encoder && ownEncoders) {
                notes.add(denoiser.file().getFileName() + " has text encoders but not " + component.label()
                        + ", which is left out; give one with " + Beside.option(component));
                continue;
            }
            ComponentFile found = beside.find(component);
            if (found != null) {
                files.put(component, found);
            } else {
                missing.put(component, model + ": holds " + holds + ", and no " + component.label().replace("the ", "")
                        + " was found; looked for " + Beside.usualName(component) + " in "
                        + beside.usualFolders().stream().map(Path::toString).collect(Collectors.joining(", "))
                        + "; give one with " + Beside.option(component)
                        + (architecture.drawsWithout(component) ? " or leave it out with --no-"
                                + component.label().toLowerCase(Locale.ROOT) : ""));
            }
        }
        return new Assembled(model, null, architecture, files, missing, extra,
                places(model, tokenizerFolders(folder, architecture, files, beside), files, extra), notes);
    }

    /** All places, the user's choice first, then what belongs to the model, then what belongs to others too. */
    private static List<Place> places(Path model, List<Path> beside, Map<Component, ComponentFile> files,
                                      ModelSources extra) {
        List<Place> places = new ArrayList<>();
        if (extra.tokenizer() != null) {
            if (!Files.isDirectory(extra.tokenizer())) {
                throw new InputException("--tokenizer " + extra.tokenizer() + " is not a folder");
            }
            places.add(Place.given(extra.tokenizer()));
        }
        places.add(Place.beside(beside));
        List<Path> weights = Component.ENCODERS.stream().filter(files::containsKey)
                .map(encoder -> files.get(encoder).file())
                .filter(file -> file.toString().toLowerCase(Locale.ROOT).endsWith(WeightsFile.GGUF)).toList();
        if (!weights.isEmpty()) {
            places.add(Place.inside(weights));
        }
        places.add(Place.program(model));
        places.addAll(Place.of(extra.elsewhere()));
        return places;
    }

    private static List<Path> tokenizerFolders(Path folder, Architecture architecture,
                                               Map<Component, ComponentFile> files, Beside beside) {
        List<Path> places = new ArrayList<>(List.of(folder));
        for (Component encoder : architecture.components()) {
            if (!encoder.isEncoder()) {
                continue;
            }
            Path own = files.containsKey(encoder) ? folderOf(files.get(encoder).file()) : folder;
            places.add(own);
            // An encoder out of a diffusers folder has its tokenizer beside its own folder.
            if (own.endsWith(architecture.folder(encoder))) {
                places.add(folderOf(own));
            }
        }
        places.addAll(beside.foldersBelow());
        Path parent = folder.toAbsolutePath().normalize().getParent();
        if (parent != null) {
            places.add(parent);
        }
        return places;
    }

    static Path folderOf(Path file) {
        Path parent = file.getParent();
        return parent == null ? Path.of("") : parent;
    }

    /** Whose denoiser is in one of these files; where none has one, the first of which they have anything. */
    private Architecture architecture(List<Path> files) {
        Architecture other = null;
        for (Path file : files) {
            try (WeightsFile weights = WeightsFile.open(file)) {
                NavigableSet<String> names = new TreeSet<>(weights.tensors().names());
                if (LeftAside.isAdapter(names)) {
                    continue;
                }
                Architecture found = Recognition.byDenoiser(names, known);
                if (found != null) {
                    return found;
                }
                other = other != null ? other : Recognition.byAny(names, known);
            }
        }
        return other != null ? other : known.getFirst();
    }

    /** The kinds of networks that are known, denoisers first. */
    private String networks() {
        return known.stream().flatMap(architecture -> architecture.formats().reversed().stream()
                        .map(ComponentFormat::network))
                .sorted(Comparator.comparing(network -> network.className().contains("Transformer") ? 0 : 1))
                .map(Network::label).distinct().collect(Collectors.joining(", "));
    }

    private static String labels(List<? extends Architecture> known) {
        return "an " + known.stream().map(Architecture::label).collect(Collectors.joining(", "));
    }

    private static String labels(Map<Component, ComponentFile> files) {
        return files.keySet().stream().map(Component::label).collect(Collectors.joining(", "));
    }
}
