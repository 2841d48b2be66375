package jdiffusion.model.sites;

import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.tensor.InputException;

/**
 * The sites of a run: what a request's run with a model has to look at, found by going through it without computing
 * anything, so that the list cannot differ from the run.
 *
 * @param sites      by name, in the order in which they are there
 * @param attentions of the denoiser, by name, in their order
 * @param request    as it is drawn
 * @param files      of the model
 * @param steps      evaluations of the denoiser
 * @param tiled      whether the VAE works on tiles, of which nothing can be seen
 */
public record Sites(Map<String, Site> sites, Map<String, Attention> attentions, GenerationRequest request, ModelFiles files, int steps,
                    boolean tiled) {
    /** Names that a message lists. */
    private static final int SHOWN = 12;

    public Sites {
        sites = Collections.unmodifiableMap(new LinkedHashMap<>(sites));
        attentions = Collections.unmodifiableMap(new LinkedHashMap<>(attentions));
    }

    /** In the order in which they are there. */
    public Collection<Site> all() {
        return sites.values();
    }

    /** Null when there is none of that name. */
    public Site find(String name) {
        return sites.get(name);
    }

    /**
     * The sites that a name means.
     *
     * @throws InputException that names what there is, when it means none
     */
    public List<Site> matching(String text) {
        SitePattern pattern = new SitePattern(text);
        List<Site> found = all().stream().filter(site -> pattern.matches(site.name())).toList();
        if (found.isEmpty()) {
            found = all().stream().filter(site -> !site.isInput() && pattern.matchesBlock(site.name())).toList();
        }
        if (found.isEmpty()) {
            throw new InputException("there is no site " + text + (text.startsWith("vae.") && tiled
                    ? ": the VAE works on tiles; use --vae-tiling off or a smaller picture" : "; "
                    + near(text)));
        }
        return found;
    }

    /**
     * The attentions that names with commas between mean: {@code block.12.attn}, {@code block.12} for all of a block,
     * {@code 6-18} for numbers of blocks.
     *
     * @throws InputException that names what there is, when it means none
     */
    public List<Attention> attending(String text) {
        List<SitePattern> patterns = Stream.of(text.split(",", -1)).map(String::strip)
                .map(part -> new SitePattern(part.matches("\\d[\\d-]*") ? "block." + part : part)).toList();
        for (SitePattern pattern : patterns) {
            requireAttention(pattern);
        }
        return attentions.values().stream().filter(attention -> patterns.stream()
                .anyMatch(pattern -> isMeant(attention, pattern))).toList();
    }

    private static boolean isMeant(Attention attention, SitePattern pattern) {
        return pattern.matches(attention.name()) || pattern.matches(attention.block());
    }

    private void requireAttention(SitePattern pattern) {
        List<Attention> found = attentions.values().stream().filter(attention -> isMeant(attention, pattern)).toList();
        if (found.isEmpty()) {
            List<String> names = List.copyOf(attentions.keySet());
            List<String> shown = names.stream().limit(SHOWN).toList();
            throw new InputException("there is no attention " + pattern + "; there are " + String.join(", ", shown)
                    + (names.size() > SHOWN ? " and " + (names.size() - SHOWN) + " more, the last of them "
                    + names.getLast() : ""));
        }
    }

    /** Height and width of the picture in tokens of an attention, of which there are so many; null for no such grid. */
    public int[] grid(int tokens) {
        int height = Ranges.gridHeight(tokens, request.height(), request.width());
        return height == 0 ? null : new int[] {height, tokens / height};
    }

    /** What a key of an attention is, for people: a place of the picture, or a row of the text. */
    public String key(Attention attention, int key) {
        int joined = AttentionBinding.joined(this);
        int[] text = attention.textKeys(joined);
        if (key >= text[0] && key < text[1]) {
            return "text " + (key - text[0]);
        }
        int[] image = attention.imageKeys(joined);
        int[] grid = grid(image[1] - image[0]);
        int at = key - image[0];
        return grid == null ? "image " + at : "image row " + at / grid[1] + ", column " + at % grid[1];
    }

    /** What there is that looks like it. */
    private String near(String text) {
        String first = text.split("\\.", 2)[0];
        Set<String> forms = new LinkedHashSet<>();
        Stream.concat(all().stream().filter(site -> site.name().startsWith(first)),
                all().stream().sorted(Comparator.comparing(site -> site.component() != Component.DENOISER)))
                .forEach(site -> forms.add(site.name().replaceAll("\\.\\d+(?=\\.|$)", ".N")));
        List<String> shown = forms.stream().limit(SHOWN).toList();
        return "there are " + String.join(", ", shown) + (forms.size() > shown.size()
                ? " and " + (forms.size() - shown.size()) + " more kinds" : "") + " (N from " + numbers(first)
                + "); 'jdiffusion sites' lists all";
    }

    private String numbers(String first) {
        int most = all().stream().map(Site::name)
                .filter(name -> name.matches("(block|single)\\.\\d+\\..*|single\\.\\d+"))
                .filter(name -> !first.equals("single") || name.startsWith("single"))
                .mapToInt(name -> Integer.parseInt(name.split("\\.")[1])).max().orElse(0);
        return String.format(Locale.ROOT, "0 to %d in blocks", most);
    }

    /** Bytes of a recording of all that a probe keeps. */
    public long bytes(Probe probe) {
        return new Binding(this, probe).bytes();
    }
}
