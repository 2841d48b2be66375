package jdiffusion.model.experiment;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.sites.Attention;
import jdiffusion.tensor.Tensor;

/** The page of attention in one file: a map over the picture, and the shares of blocks and heads at every step. */
public final class AttentionPage {
    /** Bytes of maps that a page holds; of more it has the means over the steps. */
    private static final long MOST_BYTES = 6 << 20;
    private static final String PLACE = "/*DATA*/";

    private AttentionPage() {
    }

    public static String of(AttentionMaps maps, Picture picture) {
        ObjectNode data = new ObjectMapper().createObjectNode();
        data.put("prompt", maps.sites().request().prompt());
        data.put("picture", "data:image/png;base64,"
                + Base64.getEncoder().encodeToString(Png.encode(picture, Map.of())));
        data.put("width", picture.width()).put("height", picture.height());
        maps.labels().forEach(data.putArray("labels")::add);
        maps.moments().forEach(data.putArray("moments")::add);
        maps.blocks().forEach(data.putArray("blocks")::add);
        addMaps(maps, data);
        addKeys(maps, data);
        // A closing tag in a prompt would end the script.
        return template().replace(PLACE, data.toString().replace("<", "\\u003c"));
    }

    private static void addMaps(AttentionMaps maps, ObjectNode data) {
        long bytes = maps.tensors().entrySet().stream().filter(e -> maps.labels().stream()
                .anyMatch(label -> e.getKey().endsWith("/" + label))).mapToLong(e -> e.getValue().shape().size()).sum();
        boolean whole = bytes <= MOST_BYTES;
        data.put("mapsOfMoments", whole);
        ArrayNode all = data.putArray("maps");
        ArrayNode heads = data.putArray("heads");
        for (String label : maps.labels()) {
            ArrayNode ofLabel = all.addArray();
            ArrayNode headsOfLabel = heads.addArray();
            for (String block : maps.blocks()) {
                ArrayNode ofBlock = ofLabel.addArray();
                ArrayNode headsOfBlock = headsOfLabel.addArray();
                float[] mean = null;
                int count = 0;
                for (String moment : maps.moments()) {
                    float[] map = maps.map(label, moment, block);
                    float[] shares = maps.heads(label, moment, block);
                    if (shares == null) {
                        headsOfBlock.addNull();
                    } else {
                        ArrayNode numbers = headsOfBlock.addArray();
                        for (float share : shares) {
                            numbers.add(share);
                        }
                    }
                    if (whole) {
                        add(ofBlock, map, maps);
                    } else if (map != null) {
                        mean = sum(mean, map);
                        count++;
                    }
                }
                if (!whole) {
                    for (int i = 0; mean != null && i < mean.length; i++) {
                        mean[i] /= count;
                    }
                    add(ofBlock, mean, maps);
                }
            }
        }
    }

    private static float[] sum(float[] sum, float[] map) {
        float[] to = sum == null ? new float[map.length] : sum;
        for (int i = 0; i < map.length; i++) {
            to[i] += map[i];
        }
        return to;
    }

    /** A map in 256 steps from 0 to its largest. */
    private static void add(ArrayNode to, float[] map, AttentionMaps maps) {
        if (map == null) {
            to.addNull();
            return;
        }
        float most = 0;
        for (float value : map) {
            most = Math.max(most, value);
        }
        byte[] bytes = new byte[map.length];
        for (int i = 0; i < map.length; i++) {
            bytes[i] = (byte) (most == 0 ? 0 : Math.round(255 * map[i] / most));
        }
        int[] grid = maps.grid(map.length);
        to.addObject().put("rows", grid[0]).put("columns", grid[1]).put("most", most)
                .put("values", Base64.getEncoder().encodeToString(bytes));
    }

    /** Where keys were looked at: the ones with most mass, and the mean entropy. */
    private static void addKeys(AttentionMaps maps, ObjectNode data) {
        ArrayNode all = data.putArray("keys");
        for (String block : maps.blocks()) {
            Attention attention = maps.sites().attentions().get(block);
            ArrayNode ofBlock = all.addArray();
            for (String moment : maps.moments()) {
                Tensor top = maps.tensors().get(moment + "/" + block + "/top");
                Tensor entropy = maps.tensors().get(moment + "/" + block + "/entropy");
                if (top == null || entropy == null) {
                    ofBlock.addNull();
                    continue;
                }
                double sum = 0;
                for (float value : entropy.toArray()) {
                    sum += value;
                }
                ObjectNode node = ofBlock.addObject().put("entropy", sum / entropy.shape().size())
                        .put("queries", attention.queryCount());
                ArrayNode keys = node.putArray("top");
                for (int i = 0; i < top.rows(); i++) {
                    int key = (int) top.get(i, 0);
                    keys.addObject().put("key", key).put("what", maps.sites().key(attention, key))
                            .put("mass", top.get(i, 1));
                }
            }
        }
    }

    private static String template() {
        try (InputStream in = AttentionPage.class.getResourceAsStream("attention.html")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
