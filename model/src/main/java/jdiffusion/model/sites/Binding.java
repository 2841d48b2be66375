package jdiffusion.model.sites;

import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jdiffusion.model.Branch;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** An experiment on the sites of one run, checked: whatever it asks for is there. */
final class Binding {
    final Experiment experiment;
    private final Sites sites;
    private final Place place;
    private final Set<Branch> branches;
    /** Sites that it acts on, and the parts of them for the prompt and the negative one. */
    private final Map<String, Map<Branch, Selection>> chosen = new LinkedHashMap<>();
    private final Map<String, Selection> unbranched = new LinkedHashMap<>();

    /** @throws InputException that names what there is */
    Binding(Sites sites, Experiment experiment) {
        this.sites = sites;
        this.experiment = experiment;
        this.place = experiment.place();
        List<Site> found = sites.matching(place.sites());
        this.branches = branches();
        check(found);
        for (Site site : found) {
            bind(site);
        }
    }

    private Set<Branch> branches() {
        Set<Branch> there = branches(sites, place, !place.word().isEmpty());
        if (place.branches().isEmpty() && experiment instanceof Intervene(_, Edit.Replace _)) {
            // It is not there in all steps, and seldom recorded.
            there.removeIf(Branch::isWorse);
        }
        return there;
    }

    /**
     * The branches that are meant.
     *
     * @param ofPrompt where none is named, those with the prompt alone
     */
    static Set<Branch> branches(Sites sites, Place place, boolean ofPrompt) {
        GenerationRequest request = sites.request();
        Set<Branch> there = EnumSet.of(Branch.COND);
        if (request.guided()) {
            there.add(Branch.UNCOND);
            if (!request.skipLayers().layers().isEmpty()) {
                there.add(Branch.SKIP);
            }
        }
        request.methods().guiders().pushes().forEach(push -> there.add(Branch.of(push.label())));
        if (!place.branches().isEmpty()) {
            for (Branch branch : place.branches()) {
                if (!there.contains(branch)) {
                    throw new InputException("there is no branch " + branch.label() + " in this run, which has "
                            + String.join(", ", there.stream().map(Branch::label).toList()) + switch (branch) {
                                case COND -> "";
                                case UNCOND -> "; give a guidance scale above 1";
                                case SKIP -> "; give guidance and skipped layers";
                                case PAG, SEG -> "; give --guiders " + branch.label();
                            });
                }
            }
            return EnumSet.copyOf(place.branches());
        }
        if (ofPrompt) {
            there.remove(Branch.UNCOND);
        }
        return there;
    }

    /** Fails where steps or pictures are named that are not there. */
    static void checkSteps(Sites sites, Place place) {
        int steps = sites.steps();
        for (int step : place.steps()) {
            if (step >= steps) {
                throw new InputException("step " + step + " is not there: this run has " + steps
                        + " evaluations of the denoiser, 0 to " + (steps - 1));
            }
        }
        for (int image : place.images()) {
            if (image >= sites.request().images()) {
                throw new InputException("picture " + image + " is not there: this run draws "
                        + sites.request().images() + ", from 0 on");
            }
        }
    }

    private void check(List<Site> found) {
        checkSteps(sites, place);
        boolean weighted = !sites.request().methods().weights().equals(PromptWeights.NONE);
        if (weighted && (!place.word().isEmpty() || found.stream().anyMatch(site -> site.when() == Site.When.TEXT))) {
            throw new InputException("with prompt weights the encoders read a prompt in pieces, so words and the"
                    + " encoders' own sites cannot be named; leave --weights out, or name tokens of the context");
        }
        for (Site site : found) {
            boolean always = site.when() == Site.When.STEP;
            if (!always && !place.steps().isEmpty()) {
                throw new InputException(site.name() + " is computed once and not in every step, so no steps can be"
                        + " chosen there");
            }
            if (!site.branched() && !place.branches().isEmpty()) {
                throw new InputException(site.name() + " is the same for all guidance branches, so none can be chosen"
                        + " there");
            }
            if (site.when() != Site.When.STEP && site.when() != Site.When.PICTURE && !place.images().isEmpty()) {
                throw new InputException(site.name() + " is the same for all pictures, so none can be chosen there");
            }
        }
        if (experiment instanceof Intervene(_, Edit edit)) {
            if (edit.ofBlocks()) {
                checkBlocks(found);
            } else if (found.stream().allMatch(Site::isInput) || found.stream().noneMatch(Site::isInput)) {
                found.forEach(site -> checkEdit(site, edit));
            }
        }
    }

    private void checkBlocks(List<Site> found) {
        for (Site site : found) {
            if (site.isInput() || sites.find(input(site.name())) == null) {
                throw new InputException(site.name() + " is no block's output, so nothing can be removed or repeated"
                        + " there; name a block, such as block.0");
            }
            String block = SitePattern.block(site.name());
            long streams = sites.all().stream().filter(other -> !other.isInput()
                    && SitePattern.block(other.name()).equals(block)).count();
            long meant = found.stream().filter(other -> SitePattern.block(other.name()).equals(block)).count();
            if (meant < streams) {
                throw new InputException("only a part of " + block + " is named by " + place.sites()
                        + "; a block is removed or repeated whole: name " + block);
            }
        }
        if (place.chooses()) {
            throw new InputException("a block is removed or repeated for whole pictures; heads, tokens and rectangles"
                    + " cannot be chosen");
        }
    }

    private static void checkEdit(Site site, Edit edit) {
        float[] vector = switch (edit) {
            case Edit.Add add -> add.vector();
            case Edit.Project project -> project.vector();
            default -> null;
        };
        if (vector != null && site.layout() == Site.Layout.IMAGE) {
            throw new InputException(site.name() + " is an image " + site.shape() + "; vectors are added to and taken"
                    + " out of the rows of [tokens, width] alone");
        }
        if (vector != null && vector.length != site.columns()) {
            throw new InputException("the vector has " + vector.length + " numbers, " + site.name() + " is "
                    + site.columns() + " wide");
        }
    }

    /** The site of what a block reads, by that of what it gives. */
    static String input(String output) {
        return output + ".in";
    }

    private void bind(Site site) {
        if (!site.branched()) {
            unbranched.put(site.name(), Ranges.of(sites, site, place, Branch.COND));
            return;
        }
        Map<Branch, Selection> of = new LinkedHashMap<>();
        for (Branch branch : branches) {
            of.put(branch, Ranges.of(sites, site, place, branch));
        }
        chosen.put(site.name(), of);
        if (experiment instanceof Intervene(_, Edit.Replace(Source source))) {
            checkReplacement(site, source);
        }
    }

    private void checkReplacement(Site site, Source source) {
        for (Branch branch : branches) {
            List<Integer> steps = site.when() != Site.When.STEP ? List.of(0) : !place.steps().isEmpty()
                    ? place.steps() : IntStream.range(0, sites.steps()).boxed().toList();
            for (int step : steps) {
                String key = Key.of(site, step, branch, 0, sites.request().images());
                Tensor other = source.find(key) == null ? source.find(site.name()) : source.find(key);
                if (other == null) {
                    throw new InputException(source.origin() + ": has neither " + key + " nor " + site.name()
                            + "; record these sites and steps, or choose others");
                }
                if (!other.shape().equals(site.shape())) {
                    throw new InputException(source.origin() + ": " + key + " is " + other.shape() + ", the run has "
                            + site.shape() + "; use a run of the same size and prompt length");
                }
            }
        }
    }

    /** The branches that are meant and asked in every step. */
    Set<Branch> steady() {
        return branches.stream().filter(branch -> !branch.isWorse()).collect(Collectors.toSet());
    }

    /** Names of the sites where something is done. */
    Set<String> names() {
        Set<String> all = new LinkedHashSet<>(chosen.keySet());
        all.addAll(unbranched.keySet());
        return all;
    }

    boolean inStep(Site site, int step) {
        return site.when() != Site.When.STEP || place.steps().isEmpty() || place.steps().contains(step);
    }

    /** What is meant of one entry; null for nothing. */
    Selection of(Site site, Branch branch, int image) {
        boolean pictured = site.when() == Site.When.STEP || site.when() == Site.When.PICTURE;
        if (pictured && !place.images().isEmpty() && !place.images().contains(image)) {
            return null;
        }
        return branch == null ? unbranched.get(site.name()) : chosen.get(site.name()).get(branch);
    }

    /** Of a recording of all that it is about. */
    long bytes() {
        long sum = 0;
        for (String name : names()) {
            Site site = sites.find(name);
            long times = site.when() != Site.When.STEP ? 1 : place.steps().isEmpty() ? sites.steps()
                    : place.steps().size();
            long pictures = site.when() == Site.When.TEXT || site.when() == Site.When.START ? 1
                    : place.images().isEmpty() ? sites.request().images() : place.images().size();
            sum += site.bytes() * times * pictures * (site.branched() ? branches.size() : 1);
        }
        return sum;
    }
}
