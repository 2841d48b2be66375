package jdiffusion.model.guidance;

import java.util.List;
import jdiffusion.tensor.Workspace;

/**
 * Magnitude-aware guidance (MAMBO-G, 2025, as diffusers has it): the longer the difference of the predictions is beside
 * u, the smaller the scale, 1 + (g - 1) exp(-alpha |c - u| / |u|).
 *
 * @param alpha how fast the scale falls
 */
record MagnitudeAware(double alpha) implements Formula {
    static MagnitudeAware read(Call call) {
        return new MagnitudeAware(call.number("alpha", 8, 0, 1000));
    }

    @Override
    public Run start(Workspace workspace, int... dims) {
        Sums sums = new Sums(Sums.size(dims));
        return (backend, scale, without, with, out) -> {
            for (int i = 0; i < out.shape().dim(0); i++) {
                sums.of(backend, without.at(i), with.at(i));
                double length = Math.sqrt(sums.aa());
                double ratio = length > 0 ? sums.distance() / length : Double.MAX_VALUE;
                float g = (float) (1 + (scale - 1) * Math.exp(-alpha * ratio));
                backend.combine(new float[] {1 - g, g}, List.of(without.at(i), with.at(i)), out.at(i));
            }
        };
    }

    @Override
    public String text() {
        return "mag(alpha=" + Call.shown(alpha) + ")";
    }
}
