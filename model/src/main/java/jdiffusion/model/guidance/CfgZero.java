package jdiffusion.model.guidance;

import java.util.List;
import jdiffusion.tensor.Workspace;

/**
 * CFG-Zero* (Fan et al., "CFG-Zero*: Improved Classifier-Free Guidance for Flow Matching Models", 2025): u is scaled to
 * the c it is nearest to, s = c.u / u.u, and the first evaluations predict zero.
 *
 * @param zeroes evaluations that predict zero
 */
record CfgZero(int zeroes) implements Formula {
    private static final double EPS = 1e-8;

    static CfgZero read(Call call) {
        return new CfgZero(call.integer("zeroes", 1, 0, 1000));
    }

    @Override
    public Run start(Workspace workspace, int... dims) {
        Sums sums = new Sums(Sums.size(dims));
        return (backend, scale, without, with, out) -> {
            for (int i = 0; i < out.shape().dim(0); i++) {
                sums.of(backend, without.at(i), with.at(i));
                double s = sums.ab() / (sums.aa() + EPS);
                backend.combine(new float[] {(float) ((1 - scale) * s), scale}, List.of(without.at(i), with.at(i)),
                        out.at(i));
            }
        };
    }

    @Override
    public boolean zeroes(int evaluation) {
        return evaluation < zeroes;
    }

    @Override
    public String text() {
        return "cfg-zero(zeroes=" + zeroes + ")";
    }
}
