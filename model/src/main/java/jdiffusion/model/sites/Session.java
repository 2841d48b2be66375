package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Branch;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.stage.Watch;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** Experiments on one run of a pipeline, and what they recorded. */
public final class Session implements Watch, AutoCloseable {
    private final Sites sites;
    private final Recording recording = new Recording();
    /** For each site what is done there, in the order of the experiments. */
    private final Map<String, List<Binding>> bindings = new LinkedHashMap<>();
    /** Blocks that are removed or repeated, by what they read: it is kept to be put back. */
    private final Map<String, float[]> inputs = new HashMap<>();
    private final Map<String, List<Binding>> blocks = new HashMap<>();
    private final List<AttentionBinding> attending = new ArrayList<>();
    private final List<AttentionRunner> runners = new ArrayList<>();
    /** What was there, where a step cache may leave it out; by the names of recorded tensors. */
    private final Set<String> present = new HashSet<>();

    /** @throws jdiffusion.tensor.InputException when an experiment asks for what is not there */
    public Session(Sites sites, List<? extends Experiment> experiments) {
        this.sites = sites;
        for (Experiment experiment : experiments) {
            if (experiment instanceof Attend || experiment instanceof Intervene(_, Edit.MaskKeys _)) {
                attending.add(new AttentionBinding(sites, experiment));
                continue;
            }
            Binding binding = new Binding(sites, experiment);
            for (String name : binding.names()) {
                bindings.computeIfAbsent(name, _ -> new ArrayList<>()).add(binding);
                if (experiment instanceof Intervene(_, Edit edit) && edit.ofBlocks()) {
                    inputs.put(Binding.input(name), null);
                    List<Binding> of = blocks.computeIfAbsent(SitePattern.block(name), _ -> new ArrayList<>());
                    if (!of.contains(binding)) {
                        of.add(binding);
                    }
                }
            }
        }
        requireOneKind();
    }

    private void requireOneKind() {
        boolean looked = attending.stream().anyMatch(binding -> binding.experiment instanceof Attend);
        if (looked && attending.stream().anyMatch(binding -> binding.experiment instanceof Intervene)) {
            throw new InputException("attention cannot be looked at while its keys are masked; do one of them in a run");
        }
    }

    @Override
    public void close() {
        runners.forEach(AttentionRunner::close);
        runners.clear();
    }

    /** What the probes kept. */
    public Recording recording() {
        return recording;
    }

    /** What a step cache left out of what was to be looked at or changed, in a line; null for nothing. */
    public String leftOut() {
        if (sites.request().methods().cache() == null) {
            return null;
        }
        Map<String, Set<String>> wanted = new LinkedHashMap<>();
        bindings.forEach((name, all) -> {
            Site site = sites.find(name);
            for (Binding binding : all) {
                if (site.branched() && site.when() == Site.When.STEP) {
                    want(wanted, name, binding.steady(), step -> binding.inStep(site, step));
                }
            }
        });
        for (AttentionBinding binding : attending) {
            for (String name : sites.attentions().keySet()) {
                want(wanted, name, binding.steady(), step -> binding.at(name, step) != null);
            }
        }
        for (Map.Entry<String, Set<String>> entry : wanted.entrySet()) {
            List<String> missing = entry.getValue().stream().filter(moment -> !present.contains(moment)).toList();
            if (!missing.isEmpty()) {
                return "the cache " + sites.request().methods().cache().text() + " left out " + missing.size() + " of "
                        + entry.getValue().size() + " evaluations of " + entry.getKey() + ", " + missing.getFirst()
                        + " for one; there nothing was seen or changed";
            }
        }
        return null;
    }

    private void want(Map<String, Set<String>> wanted, String name, Set<Branch> branches, IntPredicate inStep) {
        for (int step = 0; step < sites.steps(); step++) {
            for (Branch branch : branches) {
                if (inStep.test(step)) {
                    wanted.computeIfAbsent(name, _ -> new TreeSet<>()).add(moment(step, branch, name));
                }
            }
        }
    }

    private static String moment(int step, Branch branch, String name) {
        return String.format(Locale.ROOT, "step.%03d/%s/%s", step, branch.label(), name);
    }

    /** Notes what was there, where a step cache may leave it out. */
    private void present(String name, List<Entry> entries, int step) {
        if (sites.request().methods().cache() != null) {
            entries.stream().filter(entry -> entry.branch() != null)
                    .forEach(entry -> present.add(moment(step, entry.branch(), name)));
        }
    }

    @Override
    public Trace of(Component component, Backend backend) {
        if (bindings.isEmpty() && (attending.isEmpty() || component != Component.DENOISER)) {
            return Trace.NONE;
        }
        return new Seen(component, backend);
    }

    /** What a site of a component is called in the run. */
    static String prefix(Component component) {
        return component == Component.DENOISER ? "" : component.name().toLowerCase(Locale.ROOT) + ".";
    }

    /** Branches of a batch of prompts: the negative one comes first. */
    static Branch[] prompts(int batch) {
        return batch == 2 ? new Branch[] {Branch.UNCOND, Branch.COND} : new Branch[] {Branch.COND};
    }

    /** One component's run. */
    private final class Seen implements Trace {
        private final Component component;
        private final Backend backend;
        private final boolean counting;
        private final Map<String, Integer> visits = new LinkedHashMap<>();
        private final Map<String, Integer> passes = new HashMap<>();
        private Branch[] branches = {};
        private int images = 1;
        private int step;
        private int draw;
        /** The only entry of the batch that is asked; below 0 for all. */
        private int alone = -1;
        private AttentionRunner runner;

        Seen(Component component, Backend backend) {
            this.component = component;
            this.backend = backend;
            this.counting = backend instanceof CountingBackend;
        }

        @Override
        public void batch(int newImages, Branch... newBranches) {
            images = newImages;
            branches = newBranches;
        }

        @Override
        public void entry(int entry) {
            alone = entry;
        }

        @Override
        public void step(int newStep, int newDraw) {
            step = newStep;
            draw = newDraw;
        }

        @Override
        public int passes(String block) {
            int times = 1;
            for (Binding binding : blocks.getOrDefault(block, List.of())) {
                if (((Intervene) binding.experiment).edit() instanceof Edit.Repeat(int asked) && active(binding, block)) {
                    times = Math.max(times, asked);
                }
            }
            passes.put(block, 0);
            return times;
        }

        private boolean active(Binding binding, String block) {
            return sites.all().stream().filter(site -> !site.isInput()
                    && SitePattern.block(site.name()).equals(block)).anyMatch(site -> binding.inStep(site, step)
                    && entries(site).stream().anyMatch(e -> binding.of(site, e.branch(), e.image()) != null));
        }

        private List<Entry> entries(Site site) {
            List<Entry> entries = new ArrayList<>();
            if (!site.branched() || branches.length == 0) {
                boolean each = site.when() == Site.When.STEP && branches.length == 0;
                for (int i = 0; i < (each ? images : 1); i++) {
                    entries.add(new Entry(null, draw * images + i));
                }
                return entries;
            }
            return batch();
        }

        private List<Entry> batch() {
            List<Entry> entries = new ArrayList<>();
            for (Branch branch : branches) {
                for (int i = 0; i < images; i++) {
                    entries.add(new Entry(branch, draw * images + i));
                }
            }
            return alone < 0 ? entries : List.of(entries.get(alone));
        }

        @Override
        public void attention(Backend of, AttentionSite site, AttentionShape shape, List<AttentionStream> streams) {
            List<AttentionBinding> here = counting ? List.of() : attending.stream()
                    .filter(binding -> binding.at(site.name(), step) != null).toList();
            List<Entry> entries = here.isEmpty() ? List.of() : batch();
            if (entries.size() != shape.batch()) {
                of.attention(shape, streams, null);
                return;
            }
            present(site.name(), entries, step);
            if (runner == null) {
                runner = new AttentionRunner(backend, sites, recording);
                runners.add(runner);
            }
            runner.run(here.getFirst().at(site.name(), step), shape, streams, here, entries, step);
        }

        @Override
        public boolean see(String local, String module, Tensor tensor, int heads) {
            String name = prefix(component) + local;
            boolean input = inputs.containsKey(name);
            List<Binding> here = bindings.get(name);
            if (counting || here == null && !input) {
                return false;
            }
            Site site = sites.find(name);
            List<Entry> entries;
            if (component == Component.VAE) {
                entries = List.of(new Entry(null, visits.merge(name, 1, Integer::sum) - 1));
            } else if (component.isEncoder()) {
                branches = prompts(Math.toIntExact(tensor.shape().size() / site.shape().size()));
                entries = entries(site);
            } else {
                entries = entries(site);
            }
            present(name, entries, step);
            float[] values = backend.download(tensor);
            boolean changed = false;
            for (Binding binding : here == null ? List.<Binding>of() : here) {
                changed |= binding.inStep(site, step) && run(binding, site, entries, values);
            }
            if (input) {
                inputs.put(name, values);
                passes.merge(SitePattern.block(name), 1, Integer::sum);
            }
            if (changed) {
                backend.upload(values, tensor);
            }
            return changed;
        }

        private boolean run(Binding binding, Site site, List<Entry> entries, float[] values) {
            boolean changed = false;
            int size = values.length / entries.size();
            for (int i = 0; i < entries.size(); i++) {
                Entry entry = entries.get(i);
                Selection chosen = binding.of(site, entry.branch(), entry.image());
                String key = Key.of(site, step, entry.branch(), entry.image(), sites.request().images());
                switch (binding.experiment) {
                    case Probe _ when chosen != null -> recording.put(key, site.shape(),
                            Arrays.copyOfRange(values, i * size, (i + 1) * size));
                    case Intervene(_, Edit edit) when edit.ofBlocks() ->
                            changed |= restore(edit, site, chosen != null, values, i * size, size);
                    case Intervene(_, Edit edit) when chosen != null -> {
                        edit.apply(site, key, chosen, values, i * size);
                        changed = true;
                    }
                    default -> { }
                }
            }
            return changed;
        }

        /** Puts back what a block read, where it is to be removed, or is not to be run again. */
        private boolean restore(Edit edit, Site site, boolean chosen, float[] values, int at, int size) {
            boolean again = passes.getOrDefault(SitePattern.block(site.name()), 0) > streams(site);
            if (edit instanceof Edit.Remove ? !chosen : chosen || !again) {
                return false;
            }
            System.arraycopy(inputs.get(Binding.input(site.name())), at, values, at, size);
            return true;
        }

        private int streams(Site site) {
            String block = SitePattern.block(site.name());
            return (int) inputs.keySet().stream().filter(name -> SitePattern.block(name).equals(block)).count();
        }
    }
}
