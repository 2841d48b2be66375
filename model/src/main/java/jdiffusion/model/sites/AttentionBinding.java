package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jdiffusion.model.Branch;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.tensor.InputException;

/** An experiment on the attentions of one run, checked: whatever it asks for is there. */
final class AttentionBinding {
    /**
     * Keys that are looked at together.
     *
     * @param label in names of what is kept
     * @param keys  of the attention
     */
    record Group(String label, int[] keys) {
    }

    final Experiment experiment;
    private final Sites sites;
    private final Place place;
    private final Set<Branch> branches;
    private final Map<String, Attention> attentions = new LinkedHashMap<>();
    private final Map<String, Map<Branch, List<Group>>> groups = new LinkedHashMap<>();

    /** @throws InputException that names what there is */
    AttentionBinding(Sites sites, Experiment experiment) {
        this.sites = sites;
        this.experiment = experiment;
        this.place = experiment.place();
        check();
        branches = Binding.branches(sites, place, words());
        for (Attention attention : sites.attending(place.sites())) {
            if (ofText() && !attention.hasText()) {
                continue;
            }
            checkHeads(attention);
            attentions.put(attention.name(), attention);
            Map<Branch, List<Group>> of = new LinkedHashMap<>();
            for (Branch branch : branches) {
                of.put(branch, groups(attention, branch));
            }
            groups.put(attention.name(), of);
        }
        if (attentions.isEmpty()) {
            throw new InputException(place.sites() + " names attentions of the image to itself alone, which have no"
                    + " text among their keys");
        }
    }

    /** Text of the prompt is asked for. */
    private boolean words() {
        return !place.word().isEmpty() || experiment instanceof Attend attend && !attend.words().isEmpty();
    }

    private boolean ofText() {
        return words() || place.encoder() != null || !place.tokens().isEmpty()
                || experiment instanceof Attend attend && !attend.tokens().isEmpty();
    }

    private void check() {
        Binding.checkSteps(sites, place);
        if (place.area() != null) {
            throw new InputException("keys of an attention cannot be chosen by a rectangle; give keys=, tokens=, word="
                    + " or encoder=");
        }
        if (words() && !sites.request().methods().weights().equals(PromptWeights.NONE)) {
            throw new InputException("with prompt weights the encoders read a prompt in pieces, so words cannot be"
                    + " named; leave --weights out, or name tokens");
        }
        if (experiment instanceof Attend attend) {
            if (attend.words().isEmpty() && attend.tokens().isEmpty() && attend.top() == 0) {
                throw new InputException("nothing is to be looked at; give a word, tokens, or keys");
            }
            if (attend.words().stream().anyMatch(String::isBlank)) {
                throw new InputException("a word to look at is empty; give one of the prompt");
            }
        } else if (!place.heads().isEmpty()) {
            throw new InputException("keys are masked for all heads; leave heads= out");
        }
    }

    private void checkHeads(Attention attention) {
        for (int head : place.heads()) {
            if (head >= attention.heads()) {
                throw new InputException("head " + head + " is not there: " + attention.name() + " has "
                        + attention.heads() + " heads, 0 to " + (attention.heads() - 1));
            }
        }
    }

    private List<Group> groups(Attention attention, Branch branch) {
        List<Group> all = new ArrayList<>();
        switch (experiment) {
            case Attend attend -> {
                Place bare = place.heads(List.of());
                for (String word : attend.words()) {
                    all.add(new Group("word." + word, textKeys(attention, bare.word(word), branch)));
                }
                for (int token : attend.tokens()) {
                    all.add(new Group("token." + token, textKeys(attention, bare.tokens(token), branch)));
                }
            }
            case Intervene(_, Edit.MaskKeys mask) -> all.add(new Group("", masked(attention, mask, branch)));
            default -> throw new IllegalArgumentException(experiment + " is not about attentions");
        }
        return all;
    }

    private int[] masked(Attention attention, Edit.MaskKeys mask, Branch branch) {
        int count = attention.keyCount();
        if (mask.top() > 0) {
            if (mask.top() >= count) {
                throw new InputException("top" + mask.top() + " is all of " + attention.name() + ", which has " + count
                        + " keys; mask at most " + (count - 1));
            }
            return new int[0];
        }
        TreeSet<Integer> keys = new TreeSet<>(mask.keys());
        if (!keys.isEmpty() && keys.last() >= count) {
            throw new InputException("key " + keys.last() + " is not there: " + attention.name() + " has " + count
                    + " keys, 0 to " + (count - 1));
        }
        if (place.chooses()) {
            IntStream.of(textKeys(attention, place, branch)).forEach(keys::add);
        }
        if (keys.size() == count && mask.path() == Edit.MaskKeys.Path.SCORE) {
            throw new InputException("all " + count + " keys of " + attention.name() + " would be masked; leave one");
        }
        return keys.stream().mapToInt(Integer::intValue).toArray();
    }

    /** Keys of rows of text. */
    private int[] textKeys(Attention attention, Place of, Branch branch) {
        Site site = textSite(attention);
        int[] text = attention.textKeys(joined());
        for (int token : of.tokens()) {
            if (token >= text[1] - text[0]) {
                throw new InputException("token " + token + " is not there: the text of " + attention.name() + " has "
                        + (text[1] - text[0]) + " tokens, 0 to " + (text[1] - text[0] - 1));
            }
        }
        return IntStream.of(Ranges.rows(sites, site, of, branch)).map(row -> text[0] + row).toArray();
    }

    /** The keys of the text, or of text and image. */
    private Site textSite(Attention attention) {
        String kind = attention.name().substring(attention.name().lastIndexOf('.') + 1);
        Site context = sites.find(attention.block() + ".context." + kind + ".k");
        return context == null ? sites.find(attention.name() + ".k") : context;
    }

    /** Rows of text in a stream of text and image. */
    private int joined() {
        return joined(sites);
    }

    static int joined(Sites sites) {
        Site context = sites.find("embedded.context");
        return context == null ? 0 : context.rows();
    }

    /** The branches that are meant and asked in every step. */
    Set<Branch> steady() {
        return branches.stream().filter(branch -> !branch.isWorse()).collect(Collectors.toSet());
    }

    /** Null where it has nothing to do with an attention at this step. */
    Attention at(String name, int step) {
        return place.steps().isEmpty() || place.steps().contains(step) ? attentions.get(name) : null;
    }

    /** What is meant of an entry of the batch; null for nothing. */
    List<Group> of(String name, Entry entry) {
        boolean pictured = place.images().isEmpty() || place.images().contains(entry.image());
        return pictured && entry.branch() != null ? groups.get(name).get(entry.branch()) : null;
    }

    /** Heads that are averaged over. */
    int[] heads(Attention attention) {
        return place.heads().isEmpty() ? IntStream.range(0, attention.heads()).toArray()
                : place.heads().stream().distinct().sorted().mapToInt(Integer::intValue).toArray();
    }
}
