package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.sampling.BetaTable;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** Files of schedules of diffusers' schedulers for noise prediction, and of walks with them. */
final class WalkReference {
    /** Where no powers or logarithms occur. */
    private static final Set<String> EXACT = Set.of("euler", "euler.trailing", "euler.linspace", "euler_ancestral",
            "euler_ancestral.leading", "dpmpp_2m", "dpmpp_2m.trailing", "heun", "lms", "unipc", "deis", "dpmpp_3m",
            "dpmpp_2s", "ddim", "ddim.trailing", "ddim.eta", "lcm");
    private static final double CLOSE = 1e-6;
    /** Levels below this are near enough when they are as near as this would have to be. */
    private static final double SMALL_LEVEL = 1e-3;
    private static final int NOISED_STEPS = 10;

    private WalkReference() {
    }

    static List<Comparison> check(Path file) {
        List<Comparison> all = new ArrayList<>();
        List<Walk> walks = new ArrayList<>();
        List<Walk> noised = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : DataFiles.json(file).properties()) {
            String name = entry.getKey();
            JsonNode kind = entry.getValue();
            NoiseScheduler scheduler = DiscreteScheduler.stableDiffusion(Prediction.EPSILON)
                    .read(DataFiles.field(file, kind, "config"), file + ": " + name);
            SamplerSettings settings = kind.has("eta") ? scheduler.sampler().withEta(kind.get("eta").asDouble())
                    : scheduler.sampler();
            for (Map.Entry<String, JsonNode> steps : DataFiles.field(file, kind, "steps").properties()) {
                schedule(file, name, scheduler, settings, whole(file, steps.getKey()), steps.getValue(), all);
            }
            for (Map.Entry<String, JsonNode> seed : DataFiles.field(file, kind, "walk_seeds").properties()) {
                walks.add(new Walk(scheduler, settings, whole(file, seed.getKey()), seed.getValue().asLong(),
                        name + ".steps" + seed.getKey() + ".", "model_output."));
            }
            noised.add(new Walk(scheduler, settings, NOISED_STEPS, 0, name + ".add_noise.", ""));
        }
        Path tensors = file.resolveSibling(file.getFileName().toString().equals("more.json")
                ? "more_walks.safetensors" : "walks.safetensors");
        try (SafetensorsFile io = SafetensorsFile.open(tensors)) {
            all.addAll(Walk.checkAll(tensors, io, walks, noised));
        }
        return all;
    }

    private static int whole(Path file, String steps) {
        if (!steps.matches("\\d{1,5}")) {
            throw new InputException(file + ": '" + InputException.shown(steps) + "' is no number of steps");
        }
        return Integer.parseInt(steps);
    }

    private static void schedule(Path file, String name, NoiseScheduler scheduler, SamplerSettings settings, int steps,
                                 JsonNode expected, List<Comparison> all) {
        String label = file.getParent().toString();
        String prefix = name + ".steps" + steps;
        Sigmas plain = scheduler.sigmas(steps, 0);
        Sigmas sigmas = settings.evaluations(plain, scheduler.prediction());
        // diffusers lists the levels of these two otherwise: with the middles between, but not as the steps go.
        boolean listed = settings.kind() != Sampler.Kind.DPM2 && settings.kind() != Sampler.Kind.DPM2_ANCESTRAL;
        levels(label, prefix, sigmas, listed ? expected.get("sigmas") : null,
                DataFiles.field(file, expected, "timesteps"), EXACT.contains(name), all);
        double start = Walk.preserves(scheduler)
                ? plain.startFactor() * scheduler.prediction().input(plain.sigma(0)) : plain.startFactor();
        all.add(Comparison.ofNumbers(label, prefix + ".init_noise_sigma", new float[] {(float) start},
                new float[] {(float) DataFiles.field(file, expected, "init_noise_sigma").asDouble()}, CLOSE, 0));
        if (expected.has("alphas_cumprod") && scheduler instanceof DiscreteScheduler discrete) {
            BetaTable table = discrete.table();
            float[] products = new float[steps];
            float[] next = new float[steps];
            for (int i = 0; i < steps; i++) {
                products[i] = table.product((int) plain.timestep(i));
                next[i] = (float) (1 / (1 + Math.pow(plain.target(i), 2)));
            }
            all.add(Comparison.ofBits(label, prefix + ".alphas_cumprod", products,
                    DataFiles.floats(expected.get("alphas_cumprod"))));
            all.add(Comparison.ofNumbers(label, prefix + ".alphas_cumprod_next", next,
                    DataFiles.floats(DataFiles.field(file, expected, "alphas_cumprod_next")), CLOSE, 0));
        }
    }

    /**
     * Compares levels and times.
     *
     * @param levels null where there are none to compare
     * @param exact  whether they must be equal, but for one level that may be a float step off: torch takes roots by
     *               its power function, which rounds a few otherwise
     */
    static void levels(String label, String name, Sigmas sigmas, JsonNode levels, JsonNode times, boolean exact,
                       List<Comparison> all) {
        float[] timesteps = DataFiles.floats(times);
        double largest = timesteps.length == 0 ? 0 : Math.abs(timesteps[0]);
        all.add(exact ? Comparison.ofBits(label, name + ".timesteps", sigmas.timesteps(), timesteps)
                : Comparison.ofNumbers(label, name + ".timesteps", sigmas.timesteps(), timesteps, CLOSE, largest));
        if (levels != null) {
            float[] expected = DataFiles.floats(levels);
            all.add(exact ? Comparison.ofBits(label, name + ".sigmas", sigmas.toArray(), expected)
                    : Comparison.ofNumbers(label, name + ".sigmas", sigmas.toArray(), expected, CLOSE, SMALL_LEVEL));
        }
    }
}
