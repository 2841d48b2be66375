package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.model.tokenizer.places.Looked;
import jdiffusion.model.tokenizer.places.Place;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** A model of components from several files, over a folder in the diffusers layout or with none. */
final class Assembled implements ModelFiles {
    private final Path origin;
    private final ModelFiles base;
    private final Architecture architecture;
    private final Map<Component, ComponentFile> files;
    private final Map<Component, String> missing;
    private final ModelSources sources;
    private final TokenizerPlaces tokenizers;
    private final List<String> notes;
    /** Once it was looked for. */
    private NoiseScheduler scheduler;

    /**
     * @param base       has what {@code files} do not have; null for nothing
     * @param missing    why components are not there that should be, by component
     * @param tokenizers where they are looked for; null to take the base's
     */
    Assembled(Path origin, ModelFiles base, Architecture architecture, Map<Component, ComponentFile> files,
              Map<Component, String> missing, ModelSources sources, List<Place> tokenizers, List<String> notes) {
        this.origin = origin;
        this.base = base;
        this.architecture = architecture;
        this.files = new EnumMap<>(Component.class);
        this.files.putAll(files);
        this.missing = Map.copyOf(missing);
        this.sources = sources;
        this.tokenizers = tokenizers == null ? null : new TokenizerPlaces(tokenizers, this);
        this.notes = List.copyOf(notes);
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    @Override
    public String origin() {
        return origin.toString();
    }

    @Override
    public boolean has(Component component) {
        return !sources.leftOut().contains(component)
                && (files.containsKey(component) || base != null && base.has(component));
    }

    @Override
    public String missing(Component component) {
        return has(component) || sources.leftOut().contains(component) ? null
                : base != null ? base.missing(component) : missing.get(component);
    }

    @Override
    public Open open(Component component) {
        String why = missing(component);
        if (!has(component)) {
            throw new InputException(why != null ? why : origin + ": " + component.label() + " is left out");
        }
        ComponentFile file = files.get(component);
        return file == null ? base.open(component) : file.open();
    }

    @Override
    public String layout() {
        String other = " with components of other files";
        if (base != null) {
            return base.layout() + (files.isEmpty() ? "" : other);
        }
        return "single file" + (files.values().stream().map(ComponentFile::file).distinct().count() == 1 ? "" : other);
    }

    @Override
    public String place(Component component) {
        ComponentFile file = files.get(component);
        return file == null ? base.place(component) : file.describe();
    }

    /** With what is to be said of tokenizers, which are looked for now. */
    @Override
    public List<String> notes() {
        List<String> all = new ArrayList<>(notes);
        if (base != null) {
            all.addAll(base.notes());
        } else {
            try {
                all.addAll(scheduler().notes());
            } catch (InputException _) {
                // Whoever asks for the scheduler is told.
            }
        }
        if (tokenizers != null) {
            all.addAll(tokenizers.notes(Component.ENCODERS.stream().filter(this::has).toList()));
        }
        return all;
    }

    @Override
    public String variant() {
        return sources.variant();
    }

    @Override
    public Path named() {
        ComponentFile denoiser = files.get(Component.DENOISER);
        return denoiser == null ? origin : denoiser.file();
    }

    @Override
    public List<Path> weights(Component component) {
        ComponentFile file = files.get(component);
        return !has(component) ? List.of() : file == null ? base.weights(component) : WeightsFile.files(file.file());
    }

    @Override
    public Tokenizer tokenizer(Component component) {
        return tokenizers == null ? base.tokenizer(component) : tokenizers.load(component);
    }

    @Override
    public VocabularyFile vocabulary(Component component) {
        if (tokenizers == null) {
            return base == null ? null : base.vocabulary(component);
        }
        Looked found = tokenizers.find(component);
        return found == null ? null : found.file();
    }

    @Override
    public List<Looked> vocabularies(Component component) {
        return tokenizers == null ? base == null ? List.of() : base.vocabularies(component)
                : tokenizers.all(component);
    }

    /** That of the base, beside the files or in them; else the one that all published models have. */
    @Override
    public NoiseScheduler scheduler() {
        if (scheduler == null) {
            scheduler = findScheduler();
        }
        return scheduler;
    }

    private NoiseScheduler findScheduler() {
        if (base != null) {
            return base.scheduler();
        }
        Path folder = folder();
        for (Path file : List.of(folder.resolve("scheduler").resolve("scheduler_config.json"),
                folder.resolve("scheduler_config.json"),
                folder.resolve("..").resolve("scheduler").resolve("scheduler_config.json").normalize())) {
            if (InputFile.isThere(file)) {
                return NoiseScheduler.read(file, architecture.scheduler());
            }
        }
        ObjectNode stored = stored(StoredConfig.SCHEDULER);
        return stored == null ? architecture.scheduler(marks())
                : architecture.scheduler().read(stored, storedOrigin(StoredConfig.SCHEDULER));
    }

    private Architecture.Marks marks() {
        ComponentFile denoiser = files.get(Component.DENOISER);
        if (denoiser == null) {
            return new Architecture.Marks(sources.variant(), origin, Set.of());
        }
        try (WeightsFile file = WeightsFile.open(denoiser.file())) {
            return new Architecture.Marks(sources.variant(), denoiser.file(), Set.copyOf(file.tensors().names()));
        }
    }

    @Override
    public ConfigFile index() {
        ObjectNode stored = base == null ? stored(StoredConfig.SWITCHES) : null;
        return base != null ? base.index() : stored == null ? ConfigFile.empty(origin())
                : ConfigFile.of(storedOrigin(StoredConfig.SWITCHES), stored);
    }

    @Override
    public ConfigFile generationConfig() {
        if (base != null) {
            return base.generationConfig();
        }
        Path file = folder().resolve("generation_config.json");
        if (InputFile.isThere(file)) {
            return ConfigFile.read(file);
        }
        ObjectNode stored = stored(StoredConfig.GENERATION);
        return stored == null ? ConfigFile.empty(file.toString())
                : ConfigFile.of(storedOrigin(StoredConfig.GENERATION), stored);
    }

    /** What the denoiser's file keeps in its metadata; null for nothing. */
    private ObjectNode stored(String part) {
        ComponentFile denoiser = files.get(Component.DENOISER);
        return denoiser == null ? null : StoredConfig.of(denoiser.file(), part);
    }

    private String storedOrigin(String part) {
        return StoredConfig.origin(files.get(Component.DENOISER).file()) + "." + part;
    }

    private Path folder() {
        return Files.isDirectory(origin) ? origin : Models.folderOf(origin);
    }
}
