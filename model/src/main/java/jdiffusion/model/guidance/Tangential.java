package jdiffusion.model.guidance;

import java.util.List;
import jdiffusion.tensor.Workspace;

/**
 * Tangential damping classifier-free guidance (Kwon et al., "TCFG: Tangential Damping Classifier-free Guidance", 2025):
 * of u only the part along the first singular vector of the two predictions stays.
 */
record Tangential() implements Formula {
    static Tangential read(Call call) {
        return new Tangential();
    }

    @Override
    public Run start(Workspace workspace, int... dims) {
        Sums sums = new Sums(Sums.size(dims));
        return (backend, scale, without, with, out) -> {
            for (int i = 0; i < out.shape().dim(0); i++) {
                sums.of(backend, without.at(i), with.at(i));
                // The greatest eigenvalue and its vector (x, y) of [[c.c, c.u], [u.c, u.u]]; the singular vector is
                // (x c + y u) / sqrt(value).
                double half = (sums.bb() - sums.aa()) / 2;
                double root = Math.hypot(half, sums.ab());
                double value = (sums.bb() + sums.aa()) / 2 + root;
                double x = half >= 0 ? half + root : sums.ab();
                double y = half >= 0 ? sums.ab() : root - half;
                double squared = x * x + y * y;
                double along = squared > 0 && value > 0 ? (x * sums.ab() + y * sums.aa()) / (value * squared) : 0;
                backend.combine(new float[] {(float) ((1 - scale) * along * y),
                        (float) ((1 - scale) * along * x + scale)}, List.of(without.at(i), with.at(i)), out.at(i));
            }
        };
    }

    @Override
    public String text() {
        return "tcfg";
    }
}
