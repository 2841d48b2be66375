package jdiffusion.model.sampling;

/**
 * How an ancestral step is cut: down to a level below the next one, then noise up to it.
 *
 * @param down  the level below
 * @param up    factor of the noise
 * @param scale factor of the latents before noise is added: 1 but for flows, whose image keeps its weight by it
 */
record AncestralStep(double down, double up, double scale) {
    /**
     * For diffusions the split of Karras et al. (2022) as k-diffusion has it, for flows that of ComfyUI's
     * {@code sample_euler_ancestral_RF}.
     *
     * @param eta share of the noise
     */
    static AncestralStep of(Prediction prediction, double sigma, double next, double eta) {
        if (next == 0 || eta == 0) {
            return new AncestralStep(next, 0, 1);
        }
        if (prediction.isFlow()) {
            double down = Math.max(0, next * (1 + (next / sigma - 1) * eta));
            double scale = (1 - next) / (1 - down);
            return new AncestralStep(down, Math.sqrt(Math.max(0, next * next - down * down * scale * scale)), scale);
        }
        double up = Math.min(next, eta * next * Math.sqrt(Math.max(0, sigma * sigma - next * next)) / sigma);
        return new AncestralStep(Math.sqrt(next * next - up * up), up, 1);
    }
}
