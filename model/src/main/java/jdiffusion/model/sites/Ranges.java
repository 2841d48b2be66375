package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import jdiffusion.model.Branch;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.tensor.InputException;

/** From what a user says of a place to rows and columns of a tensor. */
final class Ranges {
    private Ranges() {
    }

    /** @throws InputException when the tensor has no such part */
    static Selection of(Sites sites, Site site, Place place, Branch branch) {
        return new Selection(site.columns(), rows(sites, site, place, branch), columns(sites, site, place));
    }

    private static List<int[]> columns(Sites sites, Site site, Place place) {
        if (site.layout() == Site.Layout.IMAGE && place.area() != null) {
            return List.of(covered(place.area().x(), place.area().width(), sites.request().width(), site.columns(),
                    "wide"));
        }
        if (place.heads().isEmpty()) {
            return List.of(new int[] {0, site.columns()});
        }
        if (site.heads() == 0) {
            throw new InputException(site.name() + " has no heads; those of an attention are q, k, v and out");
        }
        List<int[]> ranges = new ArrayList<>();
        int width = site.columns() / site.heads();
        for (int head : new TreeSet<>(place.heads())) {
            if (head >= site.heads()) {
                throw new InputException("head " + head + " is not there: " + site.name() + " has " + site.heads()
                        + " heads, 0 to " + (site.heads() - 1));
            }
            ranges.add(new int[] {head * width, (head + 1) * width});
        }
        return ranges;
    }

    /** The rows that are meant. */
    static int[] rows(Sites sites, Site site, Place place, Branch branch) {
        if (place.area() != null) {
            return area(sites, site, place.area());
        }
        if (place.tokens().isEmpty() && place.word().isEmpty() && place.encoder() == null) {
            return IntStream.range(0, site.rows()).toArray();
        }
        if (site.layout() != Site.Layout.TOKENS) {
            throw new InputException(site.name() + " " + site.shape() + " has no tokens that could be chosen");
        }
        if (!place.tokens().isEmpty()) {
            for (int token : place.tokens()) {
                if (token >= site.rows()) {
                    throw new InputException("token " + token + " is not there: " + site.name() + " has "
                            + site.rows() + " tokens, 0 to " + (site.rows() - 1));
                }
            }
            return new TreeSet<>(place.tokens()).stream().mapToInt(Integer::intValue).toArray();
        }
        return text(sites, site, place, branch);
    }

    /** Rows that came from text: those of an encoder, or of a word. */
    private static int[] text(Sites sites, Site site, Place place, Branch branch) {
        TreeSet<Integer> rows = new TreeSet<>();
        List<String> without = new ArrayList<>();
        for (Component encoder : Component.ENCODERS) {
            int[] of = textRows(sites, site, encoder);
            if (of == null || place.encoder() != null && place.encoder() != encoder) {
                continue;
            }
            if (place.word().isEmpty()) {
                IntStream.range(of[0], of[1]).forEach(rows::add);
                continue;
            }
            List<Integer> tokens = Words.tokens(sites, encoder, place.word(), branch);
            tokens.stream().map(token -> of[0] + token).filter(row -> row < of[1]).forEach(rows::add);
            without.add(encoder.label());
        }
        if (rows.isEmpty()) {
            throw new InputException(!without.isEmpty() ? Words.missing(sites, place.word(), branch)
                    : site.name() + " has no tokens of " + (place.encoder() == null ? "text"
                    : place.encoder().label()) + "; those are in " + (site.component() != null
                    && site.component().isEncoder() ? "that encoder's own sites" : "the context"));
        }
        return rows.stream().mapToInt(Integer::intValue).toArray();
    }

    /** First and end of an encoder's rows in a site; null when it has none. */
    private static int[] textRows(Sites sites, Site site, Component encoder) {
        if (!sites.files().has(encoder)) {
            return null;
        }
        if (site.component() != Component.DENOISER) {
            return site.component() == encoder ? new int[] {0, site.rows()} : null;
        }
        int end = textEnd(sites, site);
        int first = sites.files().has(Component.T5) && sites.request().t5() || end > TextEncoders.CLIP_LENGTH
                ? Math.max(0, end - sites.request().t5Length()) : end;
        if (encoder == Component.T5) {
            return first < end ? new int[] {first, end} : null;
        }
        return first == TextEncoders.CLIP_LENGTH ? new int[] {0, first} : null;
    }

    /** Rows of text at the beginning of a site; 0 for none. */
    private static int textEnd(Sites sites, Site site) {
        if (site.name().contains("context")) {
            return site.rows();
        }
        Site context = sites.find("embedded.context");
        return site.name().startsWith("single.") && context != null ? context.rows() : 0;
    }

    private static int[] area(Sites sites, Site site, Place.Area area) {
        int width = sites.request().width();
        int height = sites.request().height();
        if (area.x() + area.width() > width || area.y() + area.height() > height) {
            throw new InputException("the rectangle " + area.x() + "," + area.y() + "," + area.width() + ","
                    + area.height() + " reaches beyond the picture of " + width + "x" + height);
        }
        if (site.layout() == Site.Layout.IMAGE) {
            int rows = site.shape().dim(1);
            int[] y = covered(area.y(), area.height(), height, rows, "high");
            return IntStream.range(0, site.rows()).filter(row -> row % rows >= y[0] && row % rows < y[1]).toArray();
        }
        int text = textEnd(sites, site);
        int count = site.rows() - text;
        int gridHeight = site.layout() == Site.Layout.TOKENS ? gridHeight(count, height, width) : 0;
        if (gridHeight == 0) {
            throw new InputException(site.name() + " " + site.shape() + " is no part of the picture, so no rectangle"
                    + " can be chosen there");
        }
        int gridWidth = count / gridHeight;
        int[] y = covered(area.y(), area.height(), height, gridHeight, "high");
        int[] x = covered(area.x(), area.width(), width, gridWidth, "wide");
        return IntStream.range(0, count).filter(i -> i / gridWidth >= y[0] && i / gridWidth < y[1]
                && i % gridWidth >= x[0] && i % gridWidth < x[1]).map(i -> text + i).toArray();
    }

    /** Rows of a grid of so many tokens over a picture; 0 when there is no such grid. */
    static int gridHeight(int count, int height, int width) {
        for (int side = 1; side <= Math.max(height, width); side *= 2) {
            if (Math.ceilDiv(height, side) * Math.ceilDiv(width, side) == count) {
                return Math.ceilDiv(height, side);
            }
        }
        return 0;
    }

    /** Cells of a side that some of its pixels touch. */
    private static int[] covered(int from, int length, int pixels, int cells, String what) {
        int first = (int) ((long) from * cells / pixels);
        int end = (int) Math.ceilDiv((long) (from + length) * cells, pixels);
        if (first >= end) {
            throw new InputException("the rectangle is not " + what + " enough");
        }
        return new int[] {first, Math.min(end, cells)};
    }
}
