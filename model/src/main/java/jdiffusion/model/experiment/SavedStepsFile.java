package jdiffusion.model.experiment;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import jdiffusion.model.family.SavedSteps;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;

/** Saved steps as safetensors: {@code start} and {@code step.000} and so on, float32, and in its metadata the rest. */
public final class SavedStepsFile {
    private static final String SUFFIX = ".safetensors";
    private static final String START = "start";
    private static final String STEP = "step.%03d";
    private static final String SAMPLER = "sampler";
    private static final String LEVELS = "noise_levels";

    private SavedStepsFile() {
    }

    /** Fails when a file cannot have that name. */
    public static void check(Path file) {
        if (!file.toString().toLowerCase(Locale.ROOT).endsWith(SUFFIX)) {
            throw new InputException(file + ": steps are kept in files that end in " + SUFFIX);
        }
    }

    /** Writes the file whole or not at all. */
    public static void write(Path file, SavedSteps steps) {
        check(file);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(START, Tensor.of(steps.start(), steps.start().length));
        for (int i = 0; i < steps.predictions().size(); i++) {
            float[] prediction = steps.predictions().get(i);
            tensors.put(step(i), Tensor.of(prediction, prediction.length));
        }
        SafetensorsWriter.write(file, tensors, Map.of(SAMPLER, steps.sampler(), LEVELS, steps.levels().stream()
                .map(String::valueOf).collect(Collectors.joining(" "))));
    }

    /** @throws InputException when it is no such file */
    public static SavedSteps read(Path file) {
        check(file);
        try (SafetensorsFile stored = SafetensorsFile.open(file)) {
            String sampler = stored.metadata().get(SAMPLER);
            String levels = stored.metadata().get(LEVELS);
            if (sampler == null || levels == null || stored.find(START) == null) {
                throw new InputException(file + ": this file has no saved steps; 'generate --keep-steps' writes some");
            }
            List<float[]> predictions = new ArrayList<>();
            while (stored.find(step(predictions.size())) != null) {
                predictions.add(stored.find(step(predictions.size())).toArray());
            }
            return new SavedSteps(sampler, numbers(file, levels), stored.find(START).toArray(), predictions);
        }
    }

    private static List<Float> numbers(Path file, String text) {
        List<Float> numbers = new ArrayList<>();
        for (String one : text.split(" ")) {
            try {
                numbers.add(Float.valueOf(one));
            } catch (NumberFormatException e) {
                throw new InputException(file + ": '" + InputException.shown(one) + "' among its noise levels is no"
                        + " number", e);
            }
        }
        return numbers;
    }

    private static String step(int i) {
        return String.format(Locale.ROOT, STEP, i);
    }
}
