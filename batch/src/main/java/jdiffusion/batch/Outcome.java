package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.Map;
import jdiffusion.model.JsonTree;

/**
 * What became of one picture of a row: a line of the manifest.
 *
 * @param row     the row
 * @param image   which of its pictures, from 0
 * @param picture null where the row could not be read
 * @param place   where the file is; null where there is none
 * @param bytes   its size
 * @param seconds that drawing it took; 0 where it was there before
 * @param error   why there is none; null where there is one
 * @param earlier the line of an earlier run, which stands; null for none
 */
public record Outcome(Row row, int image, Planned picture, String place, long bytes, double seconds, String error,
                      ObjectNode earlier) {
    private static final String ROW = "row_";

    /** A picture that could not be planned or drawn. */
    static Outcome failed(Row row, int image, Planned picture, String error) {
        return new Outcome(row, image, picture, null, 0, 0, error, null);
    }

    /**
     * The line. Columns of the user's own stand in it under their names, or with {@code row_} before them where those
     * are names of the manifest.
     *
     * @param other of the row's columns, what is not for the picture
     */
    public ObjectNode json(String id, ObjectNode other, String host, String device) {
        if (earlier != null) {
            return earlier;
        }
        ObjectNode line = JsonTree.object().put("row", row.number()).put("line", row.line()).put("id", id)
                .put("image", image);
        if (picture != null) {
            line.put("name", picture.name()).put("prompt", picture.prompt());
            line.set("seed", line.numberNode(new BigInteger(Long.toUnsignedString(picture.seed()))));
            line.put("width", picture.width()).put("height", picture.height());
        }
        line.put("file", place).put("bytes", bytes).put("seconds", Math.round(seconds * 1e4) / 1e4)
                .put("host", host).put("device", device).put("error", error);
        for (Map.Entry<String, JsonNode> column : other.properties()) {
            String name = column.getKey();
            while (line.has(name)) {
                name = ROW + name;
            }
            line.set(name, column.getValue());
        }
        return line;
    }
}
