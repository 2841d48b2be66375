package jdiffusion.model.experiment;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/** Many pictures of one size as one, in rows and columns with grey lines between. */
public final class ContactSheet {
    private static final int GAP = 2;
    private static final byte GREY = (byte) 128;
    /** What a PNG that programs open easily may have. */
    private static final long MOST_PIXELS = 1L << 28;

    private ContactSheet() {
    }

    /** What a sheet's file says of it, in this order. */
    public static Map<String, String> texts(List<String> columns, List<String> rows) {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("columns", String.join(" | ", columns));
        texts.put("rows", String.join(" | ", rows));
        return texts;
    }

    /**
     * @param rows of pictures, which may be of different lengths
     * @throws InputException when the sheet would be too large
     */
    public static Picture of(List<List<Picture>> rows) {
        int columns = rows.stream().mapToInt(List::size).max().orElse(0);
        if (columns == 0) {
            throw new InputException("there are no pictures to make a sheet of");
        }
        Picture first = rows.stream().filter(row -> !row.isEmpty()).findFirst().orElseThrow().getFirst();
        long wide = (long) columns * (first.width() + GAP) - GAP;
        long high = (long) rows.size() * (first.height() + GAP) - GAP;
        if (wide * high > MOST_PIXELS) {
            throw new InputException("a sheet of " + rows.size() + " rows and " + columns + " columns would have "
                    + wide + "x" + high + " pixels; ask for smaller pictures or fewer of them");
        }
        int width = (int) wide;
        byte[] rgb = new byte[Math.toIntExact(3 * wide * high)];
        Arrays.fill(rgb, GREY);
        for (int row = 0; row < rows.size(); row++) {
            for (int column = 0; column < rows.get(row).size(); column++) {
                Picture picture = rows.get(row).get(column);
                int left = column * (first.width() + GAP);
                int top = row * (first.height() + GAP);
                for (int y = 0; y < first.height(); y++) {
                    System.arraycopy(picture.rgb(), 3 * y * first.width(), rgb, 3 * ((top + y) * width + left),
                            3 * first.width());
                }
            }
        }
        return new Picture(width, (int) high, rgb);
    }
}
