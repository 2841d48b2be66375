package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.sampling.RandomNormals;

/**
 * The numbers of a batch whose pictures have a seed each: every picture's part of an array is drawn as if it were
 * drawn alone.
 *
 * @param rows of each picture
 * @param one  for the numbers of one picture, which has as many in every draw
 */
record RowNormals(List<RandomNormals> rows, float[] one) implements RandomNormals {
    @Override
    public void normals(float[] out) {
        if (out.length != rows.size() * one.length) {
            throw new IllegalArgumentException(out.length + " numbers are drawn for " + rows.size() + " pictures of "
                    + one.length);
        }
        for (int i = 0; i < rows.size(); i++) {
            rows.get(i).normals(one);
            System.arraycopy(one, 0, out, i * one.length, one.length);
        }
    }
}
