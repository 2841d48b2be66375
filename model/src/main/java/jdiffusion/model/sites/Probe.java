package jdiffusion.model.sites;

/**
 * Keeps tensors: {@code Probe.at("block.*.context").steps(0, 5).branch(COND).save()}. Of what a {@link Place} names,
 * steps, branches and pictures choose; heads, tokens and rectangles do not, since whole tensors are kept.
 */
public record Probe(Place place) implements Experiment {
    public static Place at(String sites) {
        return Place.at(sites);
    }
}
