package jdiffusion.model.sites;

/** Changes tensors: {@code Intervene.at("block.4-8.context").steps(0, 5).scale(2)}. */
public record Intervene(Place place, Edit edit) implements Experiment {
    public static Place at(String sites) {
        return Place.at(sites);
    }
}
