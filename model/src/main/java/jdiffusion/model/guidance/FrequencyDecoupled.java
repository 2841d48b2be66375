package jdiffusion.model.guidance;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * Frequency-decoupled guidance (Sadat et al., "Guidance in the Frequency Domain Enables High-Fidelity Sampling at Low
 * CFG Scales", 2025): each level of a Laplacian pyramid has a scale of its own, in place of the request's.
 *
 * @param scales   of the levels, finest first
 * @param parallel weight of the part of a level's difference that lies along c's level
 */
record FrequencyDecoupled(List<Double> scales, double parallel) implements Formula {
    private static final int MOST_LEVELS = 6;
    private static final double GREATEST = 1000;

    FrequencyDecoupled {
        scales = List.copyOf(scales);
    }

    static FrequencyDecoupled read(Call call) {
        List<Double> scales = new ArrayList<>();
        double high = call.number("high", 10, 0, GREATEST);
        scales.add(high);
        while (call.hasMore() && scales.size() < MOST_LEVELS - 1) {
            scales.add(call.number("scale", 0, 0, GREATEST));
        }
        if (scales.size() == 1) {
            scales.add(call.number("low", 5, 0, GREATEST));
        }
        return new FrequencyDecoupled(scales, call.number("parallel", 1, 0, 10));
    }

    @Override
    public Run start(Workspace workspace, int... dims) {
        Pyramid pyramid = new Pyramid(scales.size(), dims[1], dims[2], dims[3]);
        return new Levels(this, pyramid, pyramid.levels(), pyramid.levels());
    }

    /** Of one image: its levels in arrays of their own. */
    private record Levels(FrequencyDecoupled fdg, Pyramid pyramid, float[][] u, float[][] c) implements Run {
        @Override
        public void apply(Backend backend, float scale, Tensor without, Tensor with, Tensor out) {
            for (int i = 0; i < out.shape().dim(0); i++) {
                backend.download(without.at(i), u[0]);
                backend.download(with.at(i), c[0]);
                pyramid.takeApart(u);
                pyramid.takeApart(c);
                for (int level = 0; level < u.length; level++) {
                    guide(fdg.scales.get(level), u[level], c[level]);
                }
                pyramid.putTogether(u);
                backend.upload(u[0], out.at(i));
            }
        }

        /** u becomes u + g d, where d = c - u with the part along c weighted. */
        private void guide(double g, float[] less, float[] more) {
            double dot = 0;
            double squared = 0;
            for (int i = 0; i < less.length; i++) {
                dot += ((double) more[i] - less[i]) * more[i];
                squared += (double) more[i] * more[i];
            }
            double along = squared > 0 ? (fdg.parallel - 1) * dot / squared : 0;
            for (int i = 0; i < less.length; i++) {
                less[i] = (float) (less[i] + g * (((double) more[i] - less[i]) + along * more[i]));
            }
        }
    }

    @Override
    public String text() {
        return "fdg(" + scales.stream().map(Call::shown).collect(Collectors.joining(",")) + ",parallel="
                + Call.shown(parallel) + ")";
    }

    /** Fails when an image is too small for the levels. */
    static InputException tooSmall(int levels, int height, int width) {
        return new InputException("fdg takes latents apart in " + levels + " levels, for which " + height + "x" + width
                + " is too small; use fewer levels or a larger picture");
    }
}
