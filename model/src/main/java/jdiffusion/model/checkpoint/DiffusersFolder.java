package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.sampling.SchedulerConfig;
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
    private static final String PIPELINE = "StableDiffusion3";

    private final Path root;
    private final ConfigFile index;

    private DiffusersFolder(Path root, ConfigFile index) {
        this.root = root;
        this.index = index;
    }

    public static DiffusersFolder open(Path root) {
        if (!Files.exists(root)) {
            throw new InputException(root + ": there is no such model; give the folder that holds " + INDEX);
        }
        if (!InputFile.isThere(root.resolve(INDEX))) {
            throw new InputException(root + ": not a model in the diffusers layout: it has no " + INDEX);
        }
        ConfigFile index = ConfigFile.read(root.resolve(INDEX));
        String family = index.text("_class_name", "");
        if (!family.startsWith(PIPELINE)) {
            throw new InputException(index.origin() + ": the family '" + family + "' is unknown; models of the "
                    + PIPELINE + "Pipeline (SD3 Medium, SD3.5 Medium, SD3.5 Large) can be used");
        }
        return new DiffusersFolder(root, index);
    }

    @Override
    public String origin() {
        return root.toString();
    }

    /** A component is there unless the index leaves it out or sets it to null, as SD3 without T5 does. */
    @Override
    public boolean has(Component component) {
        JsonNode entry = index.root().get(component.folder());
        return entry != null && entry.isArray() && entry.size() == 2 && !entry.get(1).isNull();
    }

    @Override
    public String missing(Component component) {
        return has(component) || component == Component.T5 ? null
                : index.origin() + ": the model has no " + component.folder();
    }

    @Override
    public String layout() {
        return "diffusers folder";
    }

    @Override
    public String place(Component component) {
        return component.folder();
    }

    @Override
    public List<String> notes() {
        return List.of();
    }

    @Override
    public Family family(MmditConfig config) {
        return Family.of(config, null, root);
    }

    @Override
    public Open open(Component component) {
        if (!has(component)) {
            throw new InputException(index.origin() + ": the model has no " + component.folder());
        }
        Path folder = root.resolve(component.folder());
        ConfigFile config = ConfigFile.read(folder.resolve("config.json"));
        ComponentFile.checkQuantisation(config);
        WeightsFile file = WeightsFile.of(Checkpoint.open(folder, component.weights()));
        return new Open() {
            @Override
            public TensorSource tensors() {
                return file.tensors();
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
    public Tokenizer tokenizer(Component component) {
        return Tokenizer.load(root.resolve(component.tokenizerFolder()));
    }

    @Override
    public VocabularyFile vocabulary(Component component) {
        return VocabularyFile.in(root.resolve(component.tokenizerFolder()), component.tokenizerKind());
    }

    @Override
    public List<Looked> vocabularies(Component component) {
        return new TokenizerPlaces(List.of(Place.beside(List.of(root.resolve(component.tokenizerFolder())))), this)
                .all(component);
    }

    @Override
    public SchedulerConfig scheduler() {
        return SchedulerConfig.read(root.resolve("scheduler").resolve("scheduler_config.json"));
    }

    @Override
    public ConfigFile generationConfig() {
        Path file = root.resolve("generation_config.json");
        return InputFile.isThere(file) ? ConfigFile.read(file) : ConfigFile.empty(file.toString());
    }
}
