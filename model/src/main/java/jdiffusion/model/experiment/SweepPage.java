package jdiffusion.model.experiment;

import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import java.util.function.ToDoubleFunction;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;

/** The page of a sweep in one file: heat maps of what was measured, and the pictures, small. */
final class SweepPage {
    /** Longest side of a picture on the page. */
    private static final int THUMBNAIL = 128;
    /** PSNR from which cells have the colour of equal pictures. */
    private static final double CLOSE = 50;

    private SweepPage() {
    }

    static String of(List<List<Sweep.Cell>> rows, List<List<Picture>> pictures) {
        StringBuilder html = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                + "<title>Sweep</title>\n<style>body{font:14px sans-serif}table{border-collapse:collapse;margin:1em 0}"
                + "td,th{border:1px solid #ccc;padding:3px 6px;text-align:right}th{text-align:left;font-weight:normal}"
                + "</style></head><body>\n<h1>Sweep</h1>\n<p>Each cell against the plain picture of its row.</p>\n");
        map(html, "PSNR in dB", rows, Sweep.Cell::psnr, value -> value / CLOSE);
        map(html, "SSIM", rows, Sweep.Cell::ssim, value -> value);
        map(html, "Cosine of the latents", rows, Sweep.Cell::cosine, value -> value);
        html.append("<h2>Pictures</h2>\n<table>");
        header(html, rows);
        for (int row = 0; row < rows.size(); row++) {
            html.append("<tr>").append(head(rows.get(row)));
            for (int i = 0; i < rows.get(row).size(); i++) {
                html.append("<td><img alt=\"").append(escaped(rows.get(row).get(i).label()))
                        .append("\" src=\"data:image/png;base64,").append(small(pictures.get(row).get(i)))
                        .append("\"></td>");
            }
            html.append("</tr>\n");
        }
        return html.append("</table>\n</body></html>\n").toString();
    }

    private static String small(Picture picture) {
        int longest = Math.max(picture.width(), picture.height());
        Picture shown = longest <= THUMBNAIL ? picture : picture.resized(
                Math.max(1, picture.width() * THUMBNAIL / longest),
                Math.max(1, picture.height() * THUMBNAIL / longest));
        return Base64.getEncoder().encodeToString(Png.encode(shown, Map.of()));
    }

    private static void header(StringBuilder html, List<List<Sweep.Cell>> rows) {
        html.append("<tr><th></th>");
        rows.getFirst().forEach(cell -> html.append("<th>").append(escaped(cell.column())).append("</th>"));
        html.append("</tr>\n");
    }

    private static String head(List<Sweep.Cell> row) {
        return "<th>" + escaped(row.getLast().row()) + "</th>";
    }

    /** @param share of a value from 0, red, to 1, green */
    private static void map(StringBuilder html, String title, List<List<Sweep.Cell>> rows,
                            ToDoubleFunction<Sweep.Cell> value, DoubleUnaryOperator share) {
        html.append("<h2>").append(title).append("</h2>\n<table>");
        header(html, rows);
        for (List<Sweep.Cell> row : rows) {
            html.append("<tr>").append(head(row));
            for (Sweep.Cell cell : row) {
                double number = value.applyAsDouble(cell);
                long hue = Double.isNaN(number) ? 0 : Math.round(120 * Math.clamp(share.applyAsDouble(number), 0, 1));
                html.append("<td style=\"background:hsl(").append(hue).append(",70%,80%)\">")
                        .append(Double.isInfinite(number) ? "equal" : String.format(Locale.ROOT, "%.4g", number))
                        .append("</td>");
            }
            html.append("</tr>\n");
        }
        html.append("</table>\n");
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}
