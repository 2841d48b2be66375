package jdiffusion.model.sites;

/** What is done at sites of a run, in the order of a list: looked at, or changed. */
public sealed interface Experiment permits Probe, Intervene, Attend {
    Place place();
}
