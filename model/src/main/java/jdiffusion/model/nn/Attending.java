package jdiffusion.model.nn;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.guidance.AttentionChange;
import jdiffusion.tensor.Tensor;

/**
 * Self-attention of a network's layers, in some of which guidance changes it: tokens attend to themselves alone, or the
 * image's queries are blurred. The blur is computed on the host, which copies the queries of those layers there and
 * back.
 */
public final class Attending {
    /** Changes nothing. */
    public static final Attending PLAIN = new Attending(null);

    private final AttentionChange change;
    /** Two arrays for each size of queries. */
    private final Map<Integer, float[][]> hosts = new HashMap<>();

    private Attending(AttentionChange change) {
        this.change = change;
    }

    /** @param change null for none */
    public static Attending of(AttentionChange change) {
        return change == null ? PLAIN : new Attending(change);
    }

    /**
     * Runs the attention of a layer.
     *
     * @param trace   of the block
     * @param streams that attend to each other, the image first
     * @param columns of the image's tokens
     */
    public void run(Backend backend, Trace trace, AttentionSite site, int layer, AttentionShape shape,
                    List<AttentionStream> streams, int columns) {
        run(backend, trace, site, layer, shape, streams, 0, columns);
    }

    /**
     * The same of streams in the order that the site says.
     *
     * @param text rows of text that are not the image's, in a stream of both
     */
    public void run(Backend backend, Trace trace, AttentionSite site, int layer, AttentionShape shape,
                    List<AttentionStream> streams, int text, int columns) {
        if (change == null || !change.layers().contains(layer)) {
            trace.attention(backend, site, shape, streams);
        } else if (change.isIdentity()) {
            for (AttentionStream stream : streams) {
                if (stream.out() != null) {
                    backend.activate(Activation.NONE, stream.v(), stream.out());
                }
            }
        } else {
            boolean last = site.streams() == AttentionSite.Streams.TEXT_IMAGE;
            int first = site.streams() == AttentionSite.Streams.JOINED ? text : 0;
            blur(backend, (last ? streams.getLast() : streams.getFirst()).q(), first, columns);
            trace.attention(backend, site, shape, streams);
        }
    }

    /** @param q [batch, first + rows * columns, d] */
    private void blur(Backend backend, Tensor q, int first, int columns) {
        int tokens = q.shape().dim(1) - first;
        int d = q.shape().dim(2);
        int rows = tokens / columns;
        float[][] host = hosts.computeIfAbsent(tokens * d, size -> new float[2][size]);
        for (int b = 0; b < q.shape().dim(0); b++) {
            Tensor image = q.at(b).slice(first, first + tokens);
            backend.download(image, host[0]);
            if (Double.isInfinite(change.sigma())) {
                mean(host[0], tokens, d);
            } else {
                filter(host[0], host[1], columns, d, weights(columns));
                filter(host[1], host[0], rows, columns * d, weights(rows));
            }
            backend.upload(host[0], image);
        }
    }

    /** Every token becomes the mean of all. */
    private static void mean(float[] values, int tokens, int d) {
        for (int c = 0; c < d; c++) {
            double sum = 0;
            for (int i = 0; i < tokens; i++) {
                sum += values[i * d + c];
            }
            float mean = (float) (sum / tokens);
            for (int i = 0; i < tokens; i++) {
                values[i * d + c] = mean;
            }
        }
    }

    /** Half of a Gaussian from its middle on, three sigma wide and at most so wide that it can be mirrored once. */
    private float[] weights(int side) {
        double sigma = change.sigma();
        int reach = Math.min((int) Math.ceil(6 * sigma) / 2, side - 1);
        float[] weights = new float[reach + 1];
        double sum = 0;
        for (int i = 0; i <= reach; i++) {
            weights[i] = (float) Math.exp(-0.5 * (i / sigma) * (i / sigma));
            sum += i == 0 ? weights[i] : 2 * weights[i];
        }
        for (int i = 0; i <= reach; i++) {
            weights[i] /= (float) sum;
        }
        return weights;
    }

    /**
     * A filter along one side of the picture, mirrored at its ends without repeating them.
     *
     * @param side   tokens along it
     * @param stride from one of them to the next
     */
    private static void filter(float[] from, float[] to, int side, int stride, float[] weights) {
        for (int at = 0; at < from.length; at++) {
            int i = at / stride % side;
            int first = at - i * stride;
            float sum = weights[0] * from[at];
            for (int k = 1; k < weights.length; k++) {
                sum += weights[k] * (from[first + Math.abs(i - k) * stride]
                        + from[first + (side - 1 - Math.abs(side - 1 - i - k)) * stride]);
            }
            to[at] = sum;
        }
    }
}
