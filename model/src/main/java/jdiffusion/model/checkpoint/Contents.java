package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.RenamedSource;
import jdiffusion.model.checkpoint.names.T5Names;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * Which components a file of weights holds, told by its tensors' names and shapes.
 *
 * @param parts  of the architecture's components
 * @param strays names that belong to none of them
 * @param aside  what is known to be of no use here
 */
record Contents(Architecture architecture, Map<Component, Part> parts, List<String> strays, LeftAside aside) {
    /** Of a CLIP's table of tokens, which tells one from the other. */
    private static final int CLIP_L_WIDTH = 768;
    private static final int CLIP_G_WIDTH = 1280;
    private static final int MOST_SHOWN = 4;
    /** Prefixes that are not among those known: no numbers alone, which blocks of a larger network have. */
    private static final Pattern PREFIX = Pattern.compile("(?:(?!control)[a-zA-Z_]+\\d{0,2}[a-zA-Z_]*\\.){1,4}");
    private static final Pattern OF_CLIP_G = Pattern.compile(".*(clip[-_. ]?g|bigg|text_encoder_2)(?![a-z]).*");
    private static final Pattern OF_CLIP_L = Pattern.compile(".*(clip[-_. ]?l|text_encoder(?!_[23]))(?![a-z]).*");

    /**
     * One component's tensors.
     *
     * @param prefix  of their names in the file
     * @param names   without the prefix
     * @param outside whole names of what is no weight of it: see {@link Network#outside()}
     */
    record Part(String prefix, Naming naming, List<String> names, List<String> outside) {
        /** Its weights under diffusers' names. */
        TensorSource weights(TensorSource file) {
            return RenamedSource.of(file, prefix, naming.fromOriginal(names));
        }

        /** The same with the tensors outside. */
        TensorSource all(TensorSource file) {
            if (outside.isEmpty()) {
                return weights(file);
            }
            List<Mapped> all = new ArrayList<>(outside.stream().map(name -> Mapped.plain(name,
                    name.startsWith(prefix) ? name.substring(prefix.length()) : name)).toList());
            naming.fromOriginal(names).forEach(mapped -> all.add(
                    new Mapped(prefix + mapped.original(), mapped.names(), mapped.form())));
            return RenamedSource.of(file, "", all);
        }
    }

    /**
     * A component under one of its signatures.
     *
     * @param component null for a CLIP whose prefix does not say which
     */
    private record Known(Component component, Signature signature) {
        String prefix() {
            return signature.prefix();
        }

        String marker() {
            return signature.marker();
        }

        /** The same behind another prefix, by which no CLIP is known. */
        Known behind(String other) {
            return new Known(component == Component.CLIP_L || component == Component.CLIP_G ? null : component,
                    new Signature(other, signature.markers(), signature.naming(), false));
        }

        /** A CLIP's table of tokens in the file. */
        String tokens() {
            return prefix() + (marker().equals(ClipNames.BARE_TOKENS) ? ClipNames.BARE_TOKENS + "weight"
                    : ClipNames.TOKENS);
        }
    }

    /** All signatures of an architecture's components; those that several share are there once. */
    private static List<Known> known(Architecture architecture) {
        List<Known> all = new ArrayList<>();
        Set<String> shared = new TreeSet<>();
        for (ComponentFormat format : architecture.formats()) {
            for (Signature signature : format.network().signatures()) {
                if (!signature.shared()) {
                    all.add(new Known(format.component(), signature));
                } else if (shared.add(signature.prefix() + " " + signature.marker())) {
                    all.add(new Known(null, signature));
                }
            }
        }
        return all;
    }

    /**
     * @param place where the file lies: tells which CLIP it is when neither prefix nor width does
     * @throws InputException when the file holds a component twice
     */
    static Contents of(TensorSource source, String place, Architecture architecture) {
        List<Known> all = known(architecture);
        NavigableSet<String> names = new TreeSet<>(source.names());
        if (LeftAside.isAdapter(names)) {
            return new Contents(architecture, Map.of(), List.copyOf(names), new LeftAside());
        }
        Map<Component, Known> found = new EnumMap<>(Component.class);
        for (Known known : all) {
            if (known.signature.isIn(names)) {
                Component component = known.component != null ? known.component
                        : clip(source, known, place, architecture);
                Known other = found.putIfAbsent(component, known);
                if (other != null) {
                    throw new InputException(source.origin() + ": holds two of " + component.label() + ", "
                            + other.prefix() + other.marker() + "* and " + known.prefix() + known.marker()
                            + "*; the file mixes two models or layouts");
                }
            }
        }
        behindOtherPrefixes(source, names, place, architecture, found);
        return assign(source, names, found, architecture);
    }

    /** Components whose names some other program put a prefix to; averaged weights only where there are no others. */
    private static void behindOtherPrefixes(TensorSource source, NavigableSet<String> names, String place,
                                            Architecture architecture, Map<Component, Known> found) {
        List<String> unowned = names.stream().filter(name -> found.values().stream()
                .noneMatch(known -> name.startsWith(known.prefix()))).toList();
        Map<String, Known> markers = new LinkedHashMap<>();
        known(architecture).forEach(known -> markers.putIfAbsent(known.marker(), known));
        for (boolean averages : new boolean[] {false, true}) {
            for (Known known : unowned.isEmpty() ? List.<Known>of() : markers.values()) {
                Set<String> prefixes = new TreeSet<>(Comparator.comparingInt(String::length)
                        .thenComparing(Comparator.naturalOrder()));
                for (String name : unowned) {
                    String prefix = otherPrefix(name, known.marker());
                    if (prefix != null && LeftAside.isAverage(name) == averages
                            && known.signature.isIn(names, prefix)) {
                        prefixes.add(prefix);
                    }
                }
                for (String prefix : prefixes) {
                    Known behind = known.behind(prefix);
                    found.putIfAbsent(behind.component != null ? behind.component
                            : clip(source, behind, place, architecture), behind);
                }
            }
        }
    }

    /** What some program put before a marker in a name; null where that is nothing, or no such prefix. */
    static String otherPrefix(String name, String marker) {
        int at = name.indexOf("." + marker) + 1;
        String prefix = name.substring(0, at);
        return at > 0 && PREFIX.matcher(prefix).matches() ? prefix : null;
    }

    /** Each name belongs to the component with the longest prefix of it. */
    private static Contents assign(TensorSource source, NavigableSet<String> names, Map<Component, Known> found,
                                   Architecture architecture) {
        Map<Component, List<String>> lists = new EnumMap<>(Component.class);
        Map<Component, List<String>> outside = new EnumMap<>(Component.class);
        Map<String, Component> byPrefix = new HashMap<>();
        found.forEach((component, known) -> {
            Component other = byPrefix.put(known.prefix(), component);
            if (other != null) {
                throw new InputException(source.origin() + ": holds " + component.label() + " and " + other.label()
                        + " with nothing before their tensors' names that would tell them apart; keep them in two"
                        + " files");
            }
            lists.put(component, new ArrayList<>());
            outside.put(component, new ArrayList<>());
        });
        List<String> strays = new ArrayList<>();
        LeftAside aside = new LeftAside();
        for (String name : names) {
            String prefix = byPrefix.keySet().stream().filter(name::startsWith)
                    .max((a, b) -> a.length() - b.length()).orElse(null);
            String inside = prefix == null ? name : name.substring(prefix.length());
            Component owner = outsideOf(name, architecture);
            if (owner == null && prefix != null
                    && isPrefixedOutside(architecture.network(byPrefix.get(prefix)), inside)) {
                owner = byPrefix.get(prefix);
            }
            if (owner != null) {
                if (outside.containsKey(owner)) {
                    outside.get(owner).add(name);
                } else {
                    aside.add(LeftAside.Kind.TRAINING, name);
                }
                continue;
            }
            LeftAside.Kind kind = prefix == null ? LeftAside.kind(name)
                    : isOnlyTable(inside, names, prefix) ? null : LeftAside.kind(byPrefix.get(prefix), inside);
            if (kind != null) {
                aside.add(kind, name);
            } else if (prefix == null) {
                strays.add(name);
            } else {
                lists.get(byPrefix.get(prefix)).add(inside);
            }
        }
        lists.forEach((component, list) -> leaveStrangers(found.get(component), architecture.network(component), list,
                aside));
        Map<Component, Part> parts = new EnumMap<>(Component.class);
        found.forEach((component, known) -> parts.put(component,
                new Part(known.prefix(), known.signature.naming(), List.copyOf(lists.get(component)),
                        List.copyOf(outside.get(component)))));
        return new Contents(architecture, parts, List.copyOf(strays), aside);
    }

    /** What else programs put under the prefix of a text encoder does not stop a model. */
    private static void leaveStrangers(Known known, Network network, List<String> names, LeftAside aside) {
        if (known.prefix().startsWith(LeftAside.ENCODERS)) {
            for (Mapped mapped : known.signature.naming().fromOriginal(names)) {
                if (mapped.names().stream().noneMatch(network::isWeight)) {
                    aside.add(LeftAside.Kind.ENCODER, known.prefix() + mapped.original());
                    names.remove(mapped.original());
                }
            }
        }
    }

    private static boolean isPrefixedOutside(Network network, String inside) {
        return network.isPrefixedOutside() && network.outside().contains(inside);
    }

    /** Of which component a tensor without a prefix says something; null for none. */
    private static Component outsideOf(String name, Architecture architecture) {
        return architecture.formats().stream().filter(format -> format.network().outside().contains(name))
                .map(ComponentFormat::component).findFirst().orElse(null);
    }

    /** Whether T5's token table is there under the name of its decoder alone. */
    private static boolean isOnlyTable(String name, Set<String> names, String prefix) {
        return name.equals(T5Names.TABLES.getLast()) && T5Names.TABLES.stream()
                .noneMatch(table -> !table.equals(name) && names.contains(prefix + table));
    }

    /**
     * A component in files of its own, under diffusers' names and without what is of no use; the source itself where
     * it holds nothing else, or the component cannot be recognised.
     *
     * @param aside told of what is left out
     */
    static TensorSource only(Architecture architecture, Component component, TensorSource source, String place,
                             Consumer<LeftAside> aside) {
        Contents contents = of(source, place, architecture).withClipAs(component, source);
        Part part = contents.parts.get(component);
        if (part == null) {
            return source;
        }
        contents.refuseStrays(source);
        aside.accept(contents.aside);
        List<Mapped> all = part.naming.fromOriginal(part.names);
        return part.prefix.isEmpty() && all.size() == source.names().size() && all.stream().allMatch(Mapped::same)
                ? source : part.weights(source);
    }

    /**
     * The published ones are told by their width, others by what stands before their names, or by the names of file and
     * folder; CLIP-L if all is silent.
     */
    private static Component clip(TensorSource source, Known known, String place, Architecture architecture) {
        boolean both = architecture.components().containsAll(List.of(Component.CLIP_L, Component.CLIP_G));
        if (!both) {
            return architecture.components().contains(Component.CLIP_G) ? Component.CLIP_G : Component.CLIP_L;
        }
        Shape tokens = source.shape(known.tokens());
        int width = tokens == null ? 0 : tokens.cols();
        if (width == CLIP_L_WIDTH || width == CLIP_G_WIDTH) {
            return width == CLIP_L_WIDTH ? Component.CLIP_L : Component.CLIP_G;
        }
        // What stands before the names in the file is nearer than the file's own name.
        String prefix = known.prefix().toLowerCase(Locale.ROOT);
        if (OF_CLIP_G.matcher(prefix).matches() || OF_CLIP_L.matcher(prefix).matches()) {
            return OF_CLIP_G.matcher(prefix).matches() ? Component.CLIP_G : Component.CLIP_L;
        }
        return OF_CLIP_G.matcher(place.toLowerCase(Locale.ROOT)).matches() ? Component.CLIP_G : Component.CLIP_L;
    }

    /** A bare CLIP may be either; the other one when the user says so, as far as its width lets it. */
    Contents withClipAs(Component wanted, TensorSource source) {
        Component other = wanted == Component.CLIP_L ? Component.CLIP_G : Component.CLIP_L;
        Part part = parts.get(other);
        if (parts.containsKey(wanted) || part == null) {
            return this;
        }
        Shape tokens = source.shape(part.prefix + ClipNames.TOKENS);
        tokens = tokens != null ? tokens : source.shape(part.prefix + ClipNames.BARE_TOKENS + "weight");
        int width = tokens == null ? 0 : tokens.cols();
        boolean published = width == CLIP_L_WIDTH || width == CLIP_G_WIDTH;
        boolean named = known(architecture).stream()
                .anyMatch(k -> k.component == other && k.prefix().equals(part.prefix));
        return published || named ? this : new Contents(architecture, Map.of(wanted, part), strays,
                aside);
    }

    /** Tells of what is left aside. */
    void note(Path file, List<String> notes) {
        String note = aside.note(file.getFileName().toString());
        if (note != null) {
            notes.add(note);
        }
    }

    /** Fails when tensors belong to no component. */
    void refuseStrays(TensorSource source) {
        if (!strays.isEmpty()) {
            throw new InputException(source.origin() + ": " + strays.size() + " tensor(s) belong to no part of an "
                    + architecture.label() + " model: " + shown(strays));
        }
    }

    /** The first names of a list, for messages. */
    static String shown(List<String> names) {
        return names.stream().limit(MOST_SHOWN).map(InputException::shown).collect(Collectors.joining(", "))
                + (names.size() > MOST_SHOWN ? ", ..." : "");
    }
}
