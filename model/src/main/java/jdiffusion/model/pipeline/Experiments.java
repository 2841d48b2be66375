package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.family.BranchPoint;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sites.Edit;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Lens;
import jdiffusion.model.sites.Listing;
import jdiffusion.model.sites.Place;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.sites.Recording;
import jdiffusion.model.sites.Session;
import jdiffusion.model.sites.Site;
import jdiffusion.model.sites.Sites;
import jdiffusion.model.sites.Source;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** Runs of a pipeline that are looked at. */
public final class Experiments {
    private final Pipeline pipeline;

    Experiments(Pipeline pipeline) {
        this.pipeline = pipeline;
    }

    /** The tensors of a request's run that experiments can look at and change; nothing is computed. */
    public Sites sites(GenerationRequest asked) {
        GenerationRequest request = pipeline.fitted(asked);
        Listing listing = new Listing();
        boolean[] tiled = new boolean[1];
        try (Pipeline twin = pipeline.counting(pipeline.counter())) {
            twin.watched(listing, () -> twin.generate(whole(request), new Progress() {
                @Override
                public void used(Progress.Stage stage, StageMemory memory) {
                    tiled[0] |= memory.tile() > 0;
                }
            }));
        }
        Walk walk = pipeline.info().walk(request);
        return listing.sites(pipeline.drawn(request), pipeline.files(), walk.evaluations(), tiled[0]);
    }

    /**
     * Fails when an experiment asks for what a request's run does not have; nothing is computed.
     *
     * @throws InputException that names what there is
     */
    public void check(GenerationRequest request, List<? extends Experiment> experiments) {
        new Session(sites(request), experiments).close();
    }

    /** Without what leaves evaluations and blocks out. */
    private static GenerationRequest whole(GenerationRequest request) {
        return request.toBuilder().methods(request.methods().withCache(null, false)).build();
    }

    Run run(GenerationRequest request, List<? extends Experiment> experiments, Progress progress) {
        pipeline.check(request);
        if (!experiments.isEmpty()) {
            checkOnePass(request);
        }
        Sites sites = sites(request);
        // Looked at before the runs with other prompts, so that a mistake is named at once.
        new Session(sites, experiments).close();
        checkBranch(request, sites, experiments);
        List<Experiment> resolved = new ArrayList<>();
        for (Experiment experiment : experiments) {
            resolved.add(experiment instanceof Intervene(_, Edit.Mean(List<String> prompts))
                    ? new Intervene(experiment.place(), new Edit.Replace(mean(request, experiment, prompts, progress)))
                    : experiment);
        }
        return run(request, new Session(sites, resolved), progress);
    }

    private Run run(GenerationRequest request, Session session, Progress progress) {
        try (session) {
            return pipeline.watched(session, () -> {
                pipeline.hold(request);
                List<Conditioning> prompts = pipeline.encode(request, progress);
                float[] latents = pipeline.denoise(request, prompts, progress);
                List<Picture> pictures = pipeline.decode(request, latents, progress);
                if (session.leftOut() != null) {
                    progress.note(session.leftOut());
                }
                return new Run(pictures, latents, session.recording());
            });
        }
    }

    /** Fails where a picture is drawn in two passes. */
    private static void checkOnePass(GenerationRequest request) {
        if (request.hires() != null) {
            throw new InputException("a second pass has tensors of another size, so an experiment is on one pass: leave"
                    + " --hires out, or start from the first pass's picture with -i and --strength");
        }
    }

    /** Fails where something is looked at in steps that are taken from a saved run. */
    private static void checkBranch(GenerationRequest request, Sites sites, List<? extends Experiment> experiments) {
        BranchPoint branch = request.methods().branch();
        if (branch == null) {
            return;
        }
        for (Experiment experiment : experiments) {
            Place place = experiment.place();
            boolean stepped = sites.matching(place.sites()).stream().anyMatch(s -> s.when() == Site.When.STEP);
            if (stepped && (place.steps().isEmpty() || place.steps().stream().anyMatch(n -> n < branch.at()))) {
                throw new InputException("steps 0 to " + (branch.at() - 1) + " are taken from a saved run, where "
                        + place.sites() + " is not computed; name steps from " + branch.at() + " on");
            }
        }
    }

    /**
     * Draws while the final layer is applied after every block.
     *
     * @param steps evaluations of the denoiser to look at; empty for all
     * @throws InputException when the denoiser is no transformer
     */
    public LensView lens(GenerationRequest asked, List<Integer> steps, Progress progress) {
        GenerationRequest request = pipeline.fitted(asked);
        pipeline.check(request);
        checkOnePass(request);
        if (request.methods().cache() != null) {
            throw new InputException("a lens asks the network again after each block, which the cache "
                    + request.methods().cache().text() + " would count as evaluations; leave --cache out");
        }
        if (!request.methods().guiders().leftOut().isEmpty()) {
            throw new InputException("a lens looks at one network, and the guider auto has two; leave it out");
        }
        if (request.methods().branch() != null) {
            throw new InputException("the steps before a branch are not computed, so there is no lens on them");
        }
        Lens lens = new Lens(sites(request), steps);
        Run run = pipeline.watched(lens, () -> {
            pipeline.hold(request);
            float[] latents = pipeline.denoise(request, pipeline.encode(request, progress), progress);
            return new Run(pipeline.decode(request, latents, progress), latents, new Recording());
        });
        Walk walk = pipeline.info().walk(request);
        Map<Integer, List<float[]>> estimates = new LinkedHashMap<>();
        lens.seen().forEach((step, seen) -> estimates.put(step, seen.predictions().stream()
                .map(prediction -> estimate(walk, walk.first() + step, request, seen.latents(), prediction)).toList()));
        return new LensView(lens.blocks(), estimates, run);
    }

    /** The clean latents of the first picture that follow from a prediction. */
    private static float[] estimate(Walk walk, int i, GenerationRequest request, float[] latents, float[] prediction) {
        double sigma = walk.sigmas().sigma(i);
        int images = request.seeds() == GenerationRequest.Seeds.ONE_DRAW ? request.images() : 1;
        int size = latents.length / images;
        float[] clean = new float[size];
        for (int k = 0; k < size; k++) {
            double f = prediction[k];
            if (prediction.length > latents.length) {
                f += request.guidance() * (prediction[latents.length + k] - f);
            }
            clean[k] = (float) (walk.prediction().skip(sigma) * latents[k] + walk.prediction().out(sigma) * f);
        }
        return clean;
    }

    /** What runs with other prompts have at a place, on average. */
    private Source mean(GenerationRequest request, Experiment experiment, List<String> prompts, Progress progress) {
        Map<String, float[]> sums = new LinkedHashMap<>();
        Map<String, Tensor> means = new LinkedHashMap<>();
        for (String prompt : prompts) {
            progress.note("a run with the prompt \"" + prompt + "\" comes first");
            GenerationRequest other = whole(request).toBuilder().prompt(prompt).build();
            // Of the tensors all is kept: a word of the prompt may not be one of the other.
            Probe probe = experiment.place().whole().save();
            Recording recording = run(other, new Session(sites(other), List.of(probe)), progress).recording();
            recording.tensors().forEach((name, tensor) -> {
                float[] values = tensor.toArray();
                float[] sum = sums.computeIfAbsent(name, _ -> new float[values.length]);
                for (int i = 0; i < values.length; i++) {
                    sum[i] += values[i] / prompts.size();
                }
                means.put(name, Tensor.of(sum, tensor.shape().dims()));
            });
        }
        return new Source() {
            @Override
            public String origin() {
                return prompts.size() == 1 ? "the run with the prompt \"" + prompts.getFirst() + "\""
                        : "the runs with other prompts";
            }

            @Override
            public Tensor find(String name) {
                return means.get(name);
            }
        };
    }
}
