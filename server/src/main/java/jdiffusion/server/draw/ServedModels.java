package jdiffusion.server.draw;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.request.FieldException;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** The models that clients can choose, by name. Their configurations are read, their weights are not. */
public final class ServedModels {
    private static final List<String> ENDINGS = List.of(".safetensors", ".gguf");

    private final Path given;
    private final Path folder;
    private final Function<Path, ModelFiles> opening;
    private final Backend backend;
    private final Consumer<String> log;
    private volatile Map<String, ServedModel> models = Map.of();
    private volatile String chosen;

    /**
     * @param given   the model to begin with; null for the first of the folder
     * @param folder  with more of them; null for none
     * @param opening opens a model's files
     * @param backend the device, of which only the kind counts
     * @throws InputException when there is no model
     */
    public ServedModels(Path given, Path folder, Function<Path, ModelFiles> opening, Backend backend, Consumer<String> log) {
        this.given = given;
        this.folder = folder;
        this.opening = opening;
        this.backend = backend;
        this.log = log;
        refresh();
    }

    /** Looks into the folder again. Models that are still there stay as they are. */
    public synchronized void refresh() {
        Map<Path, ServedModel> before = new LinkedHashMap<>();
        models.values().forEach(model -> before.put(model.path(), model));
        Map<String, ServedModel> found = new LinkedHashMap<>();
        if (given != null) {
            ServedModel model = before.get(given);
            put(found, model != null ? model : open(given));
        }
        for (Path path : folder == null ? List.<Path>of() : candidates()) {
            if (given != null && path.toAbsolutePath().normalize().equals(given.toAbsolutePath().normalize())) {
                continue;
            }
            try {
                put(found, before.containsKey(path) ? before.get(path) : open(path));
            } catch (InputException e) {
                log.accept("not a model: " + e.getMessage());
            }
        }
        if (found.isEmpty()) {
            throw new InputException((folder == null ? "no model is given" : folder + ": there is no model in this"
                    + " folder") + "; give one with --model, or a folder of them with --models-dir");
        }
        models = found;
        if (chosen == null || !found.containsKey(chosen)) {
            chosen = found.keySet().iterator().next();
        }
    }

    private static void put(Map<String, ServedModel> found, ServedModel model) {
        if (found.putIfAbsent(model.id(), model) != null) {
            throw new InputException(model.path() + ": another model has the name " + model.id() + "; rename one");
        }
    }

    private List<Path> candidates() {
        if (!Files.isDirectory(folder)) {
            throw new InputException("--models-dir " + folder + " is not a folder; give the one that the models are"
                    + " in");
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(entry -> Files.isDirectory(entry) ? Models.isModel(entry)
                    : ending(entry.getFileName().toString()) != null).sorted().toList();
        } catch (IOException e) {
            throw InputFile.unreadable(folder, e);
        }
    }

    private ServedModel open(Path path) {
        Path name = path.toAbsolutePath().normalize().getFileName();
        String id = name == null ? "model" : name.toString();
        String ending = ending(id);
        return new ServedModel(ending == null ? id : id.substring(0, id.length() - ending.length()), path,
                opening.apply(path), CountingBackend.of(backend));
    }

    private static String ending(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return ENDINGS.stream().filter(lower::endsWith).findFirst().orElse(null);
    }

    public List<ServedModel> all() {
        return new ArrayList<>(models.values());
    }

    /** The model that is meant where none is named. */
    public ServedModel usual() {
        return models.get(chosen);
    }

    /** Changes which model is meant where none is named. */
    public void choose(String name) {
        chosen = find(name).id();
    }

    /**
     * The model of a name, in any case, with or without the ending of its file; the usual one for null.
     *
     * @throws FieldException when there is none
     */
    public ServedModel find(String name) {
        if (name == null || name.isBlank()) {
            return usual();
        }
        ServedModel exact = models.get(name);
        if (exact != null) {
            return exact;
        }
        for (ServedModel model : models.values()) {
            String file = model.path().getFileName() == null ? "" : model.path().getFileName().toString();
            if (name.equalsIgnoreCase(model.id()) || name.equalsIgnoreCase(file)) {
                return model;
            }
        }
        throw new FieldException("model", "model_not_found", "there is no model '" + InputException.shown(name)
                + "'; there is " + String.join(", ", models.keySet()));
    }
}
