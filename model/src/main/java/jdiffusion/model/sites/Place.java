package jdiffusion.model.sites;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import jdiffusion.model.Branch;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.tensor.InputException;

/**
 * Where an experiment acts. What is not said is everything; each method gives a copy.
 *
 * @param sites    a name, or several: {@code block.*.image}, {@code block.4-8.context}; {@code block.12} means all
 *                 streams that the block gives
 * @param steps    evaluations of the denoiser, from 0; empty for all
 * @param branches guidance branches; empty for all, or with a word for those with the prompt
 * @param images   pictures of the run, from 0; empty for all
 * @param heads    of an attention; empty for all
 * @param tokens   rows of the tensor; empty for all
 * @param word     whose tokens are meant; empty for none
 * @param encoder  whose tokens are meant; null for any
 * @param area     of the picture; null for all of it
 */
public record Place(String sites, List<Integer> steps, Set<Branch> branches, List<Integer> images, List<Integer> heads,
                    List<Integer> tokens, String word, Component encoder, Area area) {
    /** A rectangle of the picture in pixels; tokens that it touches belong to it. */
    public record Area(int x, int y, int width, int height) {
        public Area {
            if (x < 0 || y < 0 || width < 1 || height < 1) {
                throw new InputException("the rectangle " + x + "," + y + "," + width + "," + height
                        + " is none; give x, y, width, height in pixels of the picture");
            }
        }
    }

    public Place {
        steps = List.copyOf(steps);
        branches = Set.copyOf(branches);
        images = List.copyOf(images);
        heads = List.copyOf(heads);
        tokens = List.copyOf(tokens);
        if (area != null && (!word.isEmpty() || encoder != null || !tokens.isEmpty())) {
            throw new InputException("a rectangle of the picture and tokens of the text are both given; name one");
        }
        if (!tokens.isEmpty() && (!word.isEmpty() || encoder != null)) {
            throw new InputException("tokens are given by number and by word or encoder; name one");
        }
    }

    static Place at(String sites) {
        return new Place(sites, List.of(), Set.of(), List.of(), List.of(), List.of(), "", null, null);
    }

    private static List<Integer> list(int... values) {
        return Arrays.stream(values).boxed().toList();
    }

    public Place steps(int... values) {
        return steps(list(values));
    }

    public Place steps(List<Integer> values) {
        return new Place(sites, values, branches, images, heads, tokens, word, encoder, area);
    }

    public Place branch(Branch first, Branch... more) {
        return branches(EnumSet.of(first, more));
    }

    public Place branches(Set<Branch> values) {
        return new Place(sites, steps, values, images, heads, tokens, word, encoder, area);
    }

    public Place images(List<Integer> values) {
        return new Place(sites, steps, branches, values, heads, tokens, word, encoder, area);
    }

    public Place heads(int... values) {
        return heads(list(values));
    }

    public Place heads(List<Integer> values) {
        return new Place(sites, steps, branches, images, values, tokens, word, encoder, area);
    }

    public Place tokens(int... values) {
        return tokens(list(values));
    }

    public Place tokens(List<Integer> values) {
        return new Place(sites, steps, branches, images, heads, values, word, encoder, area);
    }

    /** The tokens of a word, or of several in a row, of the prompt. */
    public Place word(String value) {
        return new Place(sites, steps, branches, images, heads, tokens, value, encoder, area);
    }

    /** The tokens that came from one text encoder. */
    public Place encoder(Component value) {
        return new Place(sites, steps, branches, images, heads, tokens, word, value, area);
    }

    /** In pixels of the picture. */
    public Place area(int x, int y, int width, int height) {
        return new Place(sites, steps, branches, images, heads, tokens, word, encoder, new Area(x, y, width, height));
    }

    /** Whether a part of each tensor is meant. */
    boolean chooses() {
        return !heads.isEmpty() || !tokens.isEmpty() || !word.isEmpty() || encoder != null || area != null;
    }

    /** The same steps, branches and pictures of whole tensors. */
    public Place whole() {
        return new Place(sites, steps, branches, images, List.of(), List.of(), "", null, null);
    }

    /** Keeps the tensors. */
    public Probe save() {
        return new Probe(this);
    }

    public Intervene edit(Edit edit) {
        return new Intervene(this, edit);
    }

    /** Takes the tensors and puts them back as they are: the proof that looking changes nothing. */
    public Intervene keep() {
        return edit(new Edit.Keep());
    }

    public Intervene zero() {
        return edit(new Edit.Scale(0));
    }

    public Intervene scale(float factor) {
        return edit(new Edit.Scale(factor));
    }

    /** Adds normally distributed numbers, of so many times the root mean square of what is there. */
    public Intervene noise(float strength, long seed) {
        return edit(new Edit.Noise(strength, seed));
    }

    /** Adds a vector to each chosen row. */
    public Intervene add(float[] vector, float factor) {
        return edit(new Edit.Add(vector.clone(), factor));
    }

    /** Takes a direction out of each chosen row. */
    public Intervene project(float[] vector) {
        return edit(new Edit.Project(vector.clone()));
    }

    /** Puts what another run had there. */
    public Intervene replace(Source source) {
        return edit(new Edit.Replace(source));
    }

    /** Puts what a run with another prompt, and all else as it is, has there; that run comes first. */
    public Intervene swap(String prompt) {
        return edit(new Edit.Mean(List.of(prompt)));
    }

    /** Puts the mean of what runs with other prompts have there; those runs come first. */
    public Intervene mean(List<String> prompts) {
        return edit(new Edit.Mean(List.copyOf(prompts)));
    }

    /** Masks the keys of attentions that are named here. */
    public Intervene maskKeys(Edit.MaskKeys.Path path) {
        return edit(new Edit.MaskKeys(path, 0, List.of()));
    }

    /** Masks the keys of attentions with the most mass at each step. */
    public Intervene maskTop(int keys, Edit.MaskKeys.Path path) {
        return edit(new Edit.MaskKeys(path, keys, List.of()));
    }

    /** Leaves blocks out: their streams go on as they came in. */
    public Intervene remove() {
        return edit(new Edit.Remove());
    }

    /** Runs blocks so many times in a row. */
    public Intervene repeat(int times) {
        return edit(new Edit.Repeat(times));
    }
}
