package jdiffusion.model.sampling;

/** Noise levels of a network's training, in rising order, between which a schedule chooses. */
interface NoiseTable {
    /** Number of levels. */
    int size();

    /** A level, from 0 on. */
    double level(int index);

    /** The level at a broken index, linear in its logarithm; within the table. */
    double levelAt(double index);

    default double lowest() {
        return level(0);
    }

    default double highest() {
        return level(size() - 1);
    }
}
