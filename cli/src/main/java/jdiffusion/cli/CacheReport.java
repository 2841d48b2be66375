package jdiffusion.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.image.Picture;

/** What a step cache changed in one picture, and what it saved. */
final class CacheReport implements Progress {
    private static final double WHITE = 255;
    private static final int ROUNDS = 3;
    private static final long QUICK = 20_000_000_000L;

    private final StepCache cache;
    private final int evaluations;
    private final Map<Integer, List<SkippedEvaluation>> skipped = new TreeMap<>();

    private Drawn full;
    private Drawn saved;

    /** How long denoising took, and the picture. */
    private record Drawn(Picture picture, Duration time) {
        /** The one that took less time; null for none. */
        Drawn orFaster(Drawn other) {
            return other != null && other.time.compareTo(time) < 0 ? other : this;
        }
    }

    /** Draws the picture. */
    @FunctionalInterface
    interface Drawing {
        Picture draw(StepCache cache, Progress progress);
    }

    /** Measures the time of denoising alone. */
    private static final class Timer implements Progress {
        private Duration time = Duration.ZERO;

        @Override
        public void finished(Stage stage, Duration took, long bytes) {
            time = stage == Stage.DENOISE ? time.plus(took) : time;
        }

        static Drawn draw(Drawing drawing, StepCache cache) {
            Timer timer = new Timer();
            Picture picture = drawing.draw(cache, timer);
            return new Drawn(picture, timer.time);
        }
    }

    /** @param evaluations of the run */
    CacheReport(StepCache cache, int evaluations) {
        this.cache = cache;
        this.evaluations = evaluations;
    }

    @Override
    public void skipped(int evaluation, SkippedEvaluation what) {
        skipped.computeIfAbsent(evaluation, _ -> new ArrayList<>()).add(what);
    }

    /**
     * Draws without the cache and with it; where that is quick, three times, since the first runs of a program are
     * slow. The fastest of each count.
     */
    void measure(Drawing drawing) {
        long begin = System.nanoTime();
        for (int i = 0; i < ROUNDS && System.nanoTime() - begin < QUICK; i++) {
            full = Timer.draw(drawing, null).orFaster(full);
            saved = Timer.draw(drawing, cache).orFaster(saved);
        }
    }

    /** For people. */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("cache " + cache.text() + ": " + skipped.size() + " of " + evaluations
                + " evaluations saved or shortened; their error, by branch:");
        skipped.forEach((evaluation, all) -> {
            StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "  evaluation %3d", evaluation));
            all.forEach(one -> line.append(String.format(Locale.ROOT, "  %s %.2f %%", one.branch(),
                    100 * one.error())));
            lines.add(line.toString());
        });
        Difference d = difference(saved.picture, full.picture);
        lines.add(String.format(Locale.ROOT, "  the picture differs by %.2f of 255 on average, at most %d%s", d.mean,
                d.most, d.most == 0 ? "" : String.format(Locale.ROOT, ", PSNR %.1f dB", d.psnr)));
        lines.add(String.format(Locale.ROOT, "  denoising took %.2f s instead of %.2f s: %.2f times as fast",
                seconds(saved), seconds(full), seconds(full) / seconds(saved)));
        return lines;
    }

    /** For programs. */
    ObjectNode json(long seed) {
        ObjectNode node = JsonNodeFactory.instance.objectNode().put("cache", cache.text());
        node.set("seed", JsonNodeFactory.instance.numberNode(Seed.number(seed)));
        node.put("evaluations", evaluations);
        ArrayNode all = node.putArray("skipped");
        skipped.forEach((evaluation, branches) -> branches.forEach(one -> all.addObject().put("evaluation", evaluation)
                .put("branch", one.branch()).put("error", one.error())));
        Difference d = difference(saved.picture, full.picture);
        node.put("mean_difference", d.mean).put("largest_difference", d.most)
                .put("psnr", Double.isInfinite(d.psnr) ? null : d.psnr);
        return node.put("seconds", seconds(saved)).put("seconds_without", seconds(full));
    }

    private static double seconds(Drawn drawn) {
        return drawn.time.toNanos() / 1e9;
    }

    /** @param psnr peak signal-to-noise ratio in dB; infinite for equal pictures */
    private record Difference(double mean, int most, double psnr) {
    }

    private static Difference difference(Picture a, Picture b) {
        double sum = 0;
        double squares = 0;
        int most = 0;
        int size = a.rgb().length;
        for (int i = 0; i < size; i++) {
            int d = Math.abs((a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff));
            sum += d;
            squares += (double) d * d;
            most = Math.max(most, d);
        }
        return new Difference(sum / size, most, 10 * Math.log10(WHITE * WHITE * size / squares));
    }
}
