package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.model.tokenizer.places.Looked;
import jdiffusion.model.tokenizer.places.Place;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.safetensors.Checkpoint;

/** The layout that Hugging Face's diffusers saves: {@code model_index.json} and a folder for each component. */
public final class DiffusersFolder implements ModelFiles {
    static final String INDEX = "model_index.json";

    private final Architecture architecture;
    private final Path root;
    private final ConfigFile index;
    /** Encoders that the index names and that were not downloaded. */
    private final Set<Component> absent = EnumSet.noneOf(Component.class);

    private DiffusersFolder(Architecture architecture, Path root, ConfigFile index) {
        this.architecture = architecture;
        this.root = root;
        this.index = index;
        for (Component encoder : architecture.components()) {
            if (encoder.isEncoder() && isNamed(encoder) && candidates(encoder).isEmpty()) {
                absent.add(encoder);
            }
        }
    }

    private List<Path> candidates(Component component) {
        return Checkpoint.candidates(root.resolve(folder(component)), component.weights());
    }

    private String folder(Component component) {
        return architecture.folder(component);
    }

    private Path tokenizerFolder(Component component) {
        return root.resolve(architecture.tokenizerFolder(component));
    }

    public static DiffusersFolder open(Path root, List<? extends Architecture> known) {
        if (!Files.exists(root)) {
            throw new InputException(root + ": there is no such model; give the folder that holds " + INDEX);
        }
        if (!InputFile.isThere(root.resolve(INDEX))) {
            throw new InputException(root + ": not a model in the diffusers layout: it has no " + INDEX);
        }
        ConfigFile index = ConfigFile.read(root.resolve(INDEX));
        String family = index.text("_class_name", "");
        Architecture architecture = known.stream().filter(one -> one.isPipeline(family)).findFirst()
                .orElseThrow(() -> new InputException(index.origin() + ": the family '" + family + "' is unknown;"
                        + " models of the " + known.stream().map(one -> one.pipeline() + " (" + one.models() + ")")
                                .collect(Collectors.joining(", ")) + " can be used"));
        String refused = architecture.refused(family);
        if (refused != null) {
            throw new InputException(index.origin() + ": " + refused);
        }
        return new DiffusersFolder(architecture, root, index);
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    @Override
    public String origin() {
        return root.toString();
    }

    /**
     * A component is there unless the index leaves it out or sets it to null, as SD3 without T5 does, or it is an
     * encoder that was not downloaded.
     */
    @Override
    public boolean has(Component component) {
        return isNamed(component) && !absent.contains(component);
    }

    private boolean isNamed(Component component) {
        JsonNode entry = !architecture.components().contains(component) ? null
                : index.root().get(folder(component));
        return entry != null && entry.isArray() && entry.size() == 2 && !entry.get(1).isNull();
    }

    @Override
    public String missing(Component component) {
        if (absent.contains(component)) {
            return root.resolve(folder(component)) + ": " + component.label() + ", which " + INDEX
                    + " names, has no weights there; download it" + (architecture.drawsWithout(component)
                    ? ", or leave it out with --no-" + component.label().toLowerCase(Locale.ROOT) : "");
        }
        return has(component) || !architecture.components().contains(component)
                || architecture.format(component).optional() ? null
                : index.origin() + ": the model has no " + folder(component) + ", its " + component.label()
                        + "; download it";
    }

    @Override
    public String layout() {
        return "diffusers folder";
    }

    @Override
    public String place(Component component) {
        return folder(component);
    }

    @Override
    public List<String> notes() {
        List<String> notes = new ArrayList<>();
        for (Component component : Component.values()) {
            if (has(component)) {
                note(component, notes);
            }
        }
        if (!InputFile.isThere(schedulerFile())) {
            notes.add(schedulerFile() + " is not there; the schedule of published models of this family is taken: "
                    + architecture.scheduler().describe());
        }
        try {
            notes.addAll(scheduler().notes());
        } catch (InputException _) {
            // Whoever asks for the scheduler is told.
        }
        return notes;
    }

    /** Which of several files is taken, and what of it is left aside. */
    private void note(Component component, List<String> notes) {
        List<Path> all = candidates(component);
        if (all.size() > 1) {
            notes.add(folder(component) + ": " + all.getFirst().getFileName() + " is taken, not " + all.stream()
                    .skip(1).map(path -> path.getFileName().toString()).collect(Collectors.joining(", ")));
        }
        if (!all.isEmpty()) {
            try (WeightsFile file = WeightsFile.of(Checkpoint.open(all.getFirst()))) {
                Contents.only(architecture, component, file.tensors(), Beside.place(all.getFirst()), aside -> {
                    String note = aside.note(folder(component));
                    if (note != null) {
                        notes.add(note);
                    }
                });
            } catch (InputException _) {
                // Whoever opens the component is told.
            }
        }
    }

    @Override
    public String variant() {
        return null;
    }

    @Override
    public Path named() {
        return root;
    }

    @Override
    public Open open(Component component) {
        if (!has(component)) {
            throw new InputException(absent.contains(component) ? missing(component)
                    : index.origin() + ": the model has no "
                    + (architecture.components().contains(component) ? folder(component) : component.label()));
        }
        Path folder = root.resolve(folder(component));
        ConfigFile config = ConfigFile.read(folder.resolve("config.json"));
        ComponentFile.checkQuantisation(config);
        WeightsFile file = WeightsFile.of(Checkpoint.open(folder, component.weights()));
        TensorSource tensors;
        try {
            tensors = Contents.only(architecture, component, file.tensors(), folder(component), _ -> { });
        } catch (InputException e) {
            file.close();
            throw e;
        }
        return new Open() {
            @Override
            public TensorSource tensors() {
                return tensors;
            }

            @Override
            public ConfigFile config() {
                return config;
            }

            @Override
            public void close() {
                file.close();
            }
        };
    }

    @Override
    public List<Path> weights(Component component) {
        List<Path> found = has(component) ? candidates(component) : List.of();
        return found.isEmpty() ? List.of() : WeightsFile.files(found.getFirst());
    }

    @Override
    public Tokenizer tokenizer(Component component) {
        Path folder = tokenizerFolder(component);
        if (component == Component.T5 && !Files.isDirectory(folder)) {
            throw new InputException(folder + ": the tokenizer of T5 is not there; download it, "
                    + (architecture.drawsWithout(component) ? "or leave T5 out with --no-t5"
                    : "or give another folder with --tokenizer"));
        }
        return Tokenizer.load(folder);
    }

    @Override
    public VocabularyFile vocabulary(Component component) {
        return VocabularyFile.in(tokenizerFolder(component), architecture.tokenizerKind(component));
    }

    @Override
    public List<Looked> vocabularies(Component component) {
        return new TokenizerPlaces(List.of(Place.beside(List.of(tokenizerFolder(component)))), this).all(component);
    }

    @Override
    public NoiseScheduler scheduler() {
        return InputFile.isThere(schedulerFile()) ? NoiseScheduler.read(schedulerFile(), architecture.scheduler())
                : architecture.scheduler();
    }

    @Override
    public ConfigFile index() {
        return index;
    }

    private Path schedulerFile() {
        return root.resolve("scheduler").resolve("scheduler_config.json");
    }

    @Override
    public ConfigFile generationConfig() {
        Path file = root.resolve("generation_config.json");
        return InputFile.isThere(file) ? ConfigFile.read(file) : ConfigFile.empty(file.toString());
    }
}
