package jdiffusion.model.experiment;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.sites.Sites;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * What {@code attend} has kept, ordered: for each word or token, attention and moment (step and branch) a map over the
 * picture and the share of each head.
 *
 * @param labels  such as {@code word.cat}
 * @param moments such as {@code step.005/cond}
 * @param blocks  names of attentions
 * @param tensors of the run, of its first picture
 */
public record AttentionMaps(Sites sites, List<String> labels, List<String> moments, List<String> blocks,
                            Map<String, Tensor> tensors) {
    private static final Pattern NAME = Pattern.compile("(?:image\\.0/)?(step\\.\\d+/[^/]+)/([^/]+)/(.+)");
    private static final String HEADS = ".heads";
    /** Of the picture in an overlay, the rest is the map's. */
    private static final double PICTURE_SHARE = 0.4;

    public static AttentionMaps of(Sites sites, Run run) {
        Set<String> labels = new LinkedHashSet<>();
        Set<String> moments = new LinkedHashSet<>();
        Set<String> blocks = new LinkedHashSet<>();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        run.recording().tensors().forEach((name, tensor) -> {
            Matcher matcher = NAME.matcher(name);
            if (matcher.matches()) {
                moments.add(matcher.group(1));
                blocks.add(matcher.group(2));
                String label = matcher.group(3);
                if (label.endsWith(HEADS)) {
                    labels.add(label.substring(0, label.length() - HEADS.length()));
                }
                tensors.put(matcher.group(1) + "/" + matcher.group(2) + "/" + label, tensor);
            }
        });
        return new AttentionMaps(sites, List.copyOf(labels), List.copyOf(moments), List.copyOf(blocks), tensors);
    }

    /** The map of a label; null where the attention has none at that moment. */
    float[] map(String label, String moment, String block) {
        Tensor tensor = tensors.get(moment + "/" + block + "/" + label);
        return tensor == null ? null : tensor.toArray();
    }

    /** The share of each head, averaged over the picture; null for none. */
    float[] heads(String label, String moment, String block) {
        return map(label + HEADS, moment, block);
    }

    /** Height and width of the tokens of a map. */
    int[] grid(int tokens) {
        int[] grid = sites.grid(tokens);
        if (grid == null) {
            throw new InputException("the " + tokens + " tokens of an attention are no grid over a picture of "
                    + sites.request().width() + "x" + sites.request().height());
        }
        return grid;
    }

    /** The picture under the mean of a label's maps, from its least to its most. */
    public Picture overlay(String label, Picture picture) {
        List<float[]> maps = new ArrayList<>();
        int most = 0;
        for (String moment : moments) {
            for (String block : blocks) {
                float[] map = map(label, moment, block);
                if (map != null) {
                    maps.add(map);
                    most = Math.max(most, map.length);
                }
            }
        }
        int[] grid = grid(most);
        double[] mean = new double[most];
        for (float[] map : maps) {
            int[] own = grid(map.length);
            for (int i = 0; i < most; i++) {
                int y = i / grid[1] * own[0] / grid[0];
                int x = i % grid[1] * own[1] / grid[1];
                mean[i] += map[y * own[1] + x] / maps.size();
            }
        }
        return laidOver(picture, mean, grid);
    }

    private static Picture laidOver(Picture picture, double[] map, int[] grid) {
        double least = Double.POSITIVE_INFINITY;
        double most = 0;
        for (double value : map) {
            least = Math.min(least, value);
            most = Math.max(most, value);
        }
        byte[] grey = new byte[3 * map.length];
        for (int i = 0; i < map.length; i++) {
            double share = most > least ? (map[i] - least) / (most - least) : 0;
            grey[3 * i] = grey[3 * i + 1] = grey[3 * i + 2] = (byte) Math.round(255 * share);
        }
        byte[] heat = new Picture(grid[1], grid[0], grey).resized(picture.width(), picture.height()).rgb();
        byte[] rgb = new byte[heat.length];
        for (int i = 0; i < rgb.length; i += 3) {
            int[] colour = colour((heat[i] & 0xff) / 255.0);
            for (int c = 0; c < 3; c++) {
                rgb[i + c] = (byte) Math.round(PICTURE_SHARE * (picture.rgb()[i + c] & 0xff)
                        + (1 - PICTURE_SHARE) * colour[c]);
            }
        }
        return new Picture(picture.width(), picture.height(), rgb);
    }

    /** From dark blue by red to yellow. */
    static int[] colour(double share) {
        double red = Math.clamp(2 * share, 0, 1);
        double green = Math.clamp(2 * share - 1, 0, 1);
        double blue = Math.clamp(0.4 - share, 0, 1);
        return new int[] {(int) Math.round(255 * red), (int) Math.round(255 * green), (int) Math.round(255 * blue)};
    }
}
