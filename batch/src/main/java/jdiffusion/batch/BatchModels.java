package jdiffusion.batch;

import jdiffusion.model.checkpoint.ModelFiles;

/** Finds the models that rows name. */
@FunctionalInterface
public interface BatchModels {
    /**
     * A model, with all that every row adds to it.
     *
     * @param name as pictures' files say it
     */
    record Model(String name, ModelFiles files) {
    }

    /**
     * @param named by the row; null for the usual one
     * @throws jdiffusion.tensor.InputException when there is none
     */
    Model open(String named);
}
