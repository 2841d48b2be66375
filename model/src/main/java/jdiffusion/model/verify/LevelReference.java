package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/**
 * Files {@code sigmas.json}: levels and times by a name that says shift and spacing, only spacing, or the model and the
 * size of the picture, with the scheduler's configuration beside the file or in the folder {@code model} above. Walks
 * of a solver may lie beside them.
 */
final class LevelReference {
    private static final Pattern SHIFTED = Pattern.compile(
            "euler\\.(?:use_(\\w+)_sigmas\\.)?shift([\\d.]+)\\.steps(\\d+)");
    private static final Pattern STEPS = Pattern.compile("steps(\\d+)(?:\\.(karras|trailing))?");
    private static final Pattern SIZED = Pattern.compile("(\\w+)\\.(\\d+)x(\\d+)\\.steps(\\d+)");
    /** Side of what one token of FLUX covers. */
    private static final int TOKEN_PIXELS = 16;
    private static final Pattern WALK = Pattern.compile("(steps\\d+(?:\\.(?:karras|trailing))?)\\.start");
    private static final String SOLVER = "solver.safetensors";

    private LevelReference() {
    }

    static List<Comparison> check(Path file) {
        String label = file.getParent().toString();
        List<Comparison> all = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : DataFiles.json(file).properties()) {
            String name = entry.getKey();
            Matcher shifted = SHIFTED.matcher(name);
            Matcher sized = SIZED.matcher(name);
            Sigmas sigmas = shifted.matches() ? ofShift(shifted) : sized.matches() ? ofSize(file, sized)
                    : scheduler(file, name).sigmas(steps(file, name), 1);
            boolean exact = !name.matches(".*(karras|exponential).*");
            WalkReference.levels(label, name, sigmas, DataFiles.field(file, entry.getValue(), "sigmas"),
                    DataFiles.field(file, entry.getValue(), "timesteps"), exact, all);
        }
        Path solver = file.resolveSibling(SOLVER);
        if (Files.isRegularFile(solver)) {
            solver(file, solver, all);
        }
        return all;
    }

    private static Sigmas ofShift(Matcher name) {
        SigmaSchedule schedule = name.group(1) == null ? SigmaSchedule.NORMAL : SigmaSchedule.of(name.group(1));
        return Sigmas.of(schedule, Integer.parseInt(name.group(3)),
                SchedulerConfig.ofShift(Double.parseDouble(name.group(2))), 1);
    }

    /** Levels that come from the size of the picture, by one of the configurations beside the file. */
    private static Sigmas ofSize(Path file, Matcher name) {
        Path configs = file.resolveSibling("configs.json");
        NoiseScheduler scheduler = new FlowScheduler(SchedulerConfig.ofDynamicShift(), true)
                .read(DataFiles.json(configs).get(name.group(1)), configs + ": " + name.group(1));
        int tokens = Integer.parseInt(name.group(2)) / TOKEN_PIXELS * (Integer.parseInt(name.group(3)) / TOKEN_PIXELS);
        return scheduler.sigmas(Integer.parseInt(name.group(4)), tokens);
    }

    private static int steps(Path file, String name) {
        Matcher matcher = STEPS.matcher(name);
        if (!matcher.matches()) {
            throw new InputException(file + ": '" + InputException.shown(name)
                    + "' is no name of a schedule; stepsN, stepsN.karras or stepsN.trailing are");
        }
        return Integer.parseInt(matcher.group(1));
    }

    /** That of a solver's configuration beside the file, with the name's spacing, or of a flow's in the model. */
    private static NoiseScheduler scheduler(Path file, String name) {
        Path config = file.resolveSibling("config.json");
        if (!Files.isRegularFile(config)) {
            return NoiseScheduler.read(file.resolveSibling("../model/scheduler/scheduler_config.json").normalize(),
                    FlowScheduler.ofShift(1));
        }
        if (!(DataFiles.json(config) instanceof ObjectNode json)) {
            throw new InputException(config + ": an object is expected");
        }
        if (!json.has("_class_name")) {
            json.put("_class_name", "DPMSolverMultistepScheduler");
        }
        json.put("use_karras_sigmas", name.endsWith(".karras"));
        if (name.endsWith(".trailing")) {
            json.put("timestep_spacing", "trailing");
        }
        return DiscreteScheduler.stableDiffusion(Prediction.EPSILON).read(json, config.toString());
    }

    private static void solver(Path file, Path solver, List<Comparison> all) {
        try (SafetensorsFile io = SafetensorsFile.open(solver)) {
            List<Walk> walks = new ArrayList<>();
            for (String tensor : io.names()) {
                Matcher matcher = WALK.matcher(tensor);
                if (matcher.matches()) {
                    String name = matcher.group(1);
                    NoiseScheduler scheduler = scheduler(file, name);
                    walks.add(new Walk(scheduler, scheduler.sampler(), steps(file, name), 0, name + ".",
                            "prediction."));
                }
            }
            all.addAll(Walk.checkAll(solver, io, walks, List.of()));
        }
    }
}
