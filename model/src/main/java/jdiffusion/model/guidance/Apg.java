package jdiffusion.model.guidance;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * Adaptive projected guidance (Sadat et al., "Eliminating Oversaturation and Artifacts of High Guidance Scales in
 * Diffusion Models", 2024), on the network's output as diffusers has it: of the difference c - u, or of a running sum
 * of differences, the part along c counts less, and its length is limited.
 *
 * @param eta      weight of the part along c; 1 for all of it
 * @param limit    the greatest length of the difference; 0 for none
 * @param momentum factor of the sum so far, usually negative; 0 for none
 */
record Apg(double eta, double limit, double momentum) implements Formula {
    static Apg read(Call call) {
        return new Apg(call.number("eta", 1, 0, 10), call.number("limit", 15, 0, 1e6),
                call.number("momentum", 0, -1, 1));
    }

    @Override
    public boolean remembers() {
        return momentum != 0;
    }

    @Override
    public Run start(Workspace workspace, int... dims) {
        return new Projection(this, new Sums(Sums.size(dims)), workspace.f32(dims));
    }

    private static final class Projection implements Run {
        private final Apg apg;
        private final Sums sums;
        private final Tensor average;
        private boolean first = true;

        Projection(Apg apg, Sums sums, Tensor average) {
            this.apg = apg;
            this.sums = sums;
            this.average = average;
        }

        @Override
        public void begin() {
            first = true;
        }

        @Override
        public void apply(Backend backend, float scale, Tensor without, Tensor with, Tensor out) {
            if (first || apg.momentum == 0) {
                backend.combine(new float[] {1, -1}, List.of(with, without), average);
            } else {
                backend.combine(new float[] {(float) apg.momentum, 1, -1}, List.of(average, with, without), average);
            }
            first = false;
            for (int i = 0; i < out.shape().dim(0); i++) {
                sums.of(backend, average.at(i), with.at(i));
                double length = Math.sqrt(sums.aa());
                double shorter = apg.limit > 0 && length > apg.limit ? apg.limit / length : 1;
                double along = sums.bb() > 0 ? shorter * sums.ab() / sums.bb() : 0;
                backend.combine(new float[] {1, (float) (scale * shorter), (float) (scale * (apg.eta - 1) * along)},
                        List.of(without.at(i), average.at(i), with.at(i)), out.at(i));
            }
        }
    }

    @Override
    public String text() {
        return "apg(eta=" + Call.shown(eta) + ",limit=" + Call.shown(limit) + ",momentum=" + Call.shown(momentum)
                + ")";
    }
}
