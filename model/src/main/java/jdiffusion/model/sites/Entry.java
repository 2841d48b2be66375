package jdiffusion.model.sites;

import jdiffusion.model.Branch;

/**
 * One picture of one branch in a batch.
 *
 * @param branch null for what is the same for all
 */
record Entry(Branch branch, int image) {
}
