package jdiffusion.model.checkpoint.names;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Pairs of name templates, read in either direction: see {@link NameTemplate} for the places in them. */
public final class NameTable {
    private final Map<String, List<Rule>> byOriginal = new HashMap<>();
    private final Map<String, List<Rule>> byName = new HashMap<>();

    private record Rule(NameTemplate original, List<NameTemplate> names, List<Integer> shares, Mapped.Form form) {
        Mapped fill(NameTemplate.Filling filling, int levels) {
            return new Mapped(original.fill(filling, levels),
                    names.stream().map(name -> name.fill(filling, levels)).toList(), shares, form);
        }
    }

    /** The same tensor under another name. */
    public NameTable plain(String original, String name) {
        return add(original, Mapped.Form.PLAIN, name);
    }

    /** Several tensors of diffusers, of equally many rows, are one in the layout, one below the other. */
    public NameTable joined(String original, String... names) {
        return add(original, Mapped.Form.PLAIN, names);
    }

    /**
     * The same of tensors of different heights.
     *
     * @param shares in what proportion the rows are divided among them
     */
    public NameTable joined(String original, List<Integer> shares, String... names) {
        return add(original, shares, Mapped.Form.PLAIN, names);
    }

    /** The same tensor with its halves in the other order. */
    public NameTable swapped(String original, String name) {
        return add(original, Mapped.Form.SWAPPED, name);
    }

    /** A matrix that the layout stores as a convolution of one pixel. */
    public NameTable convolution(String original, String name) {
        return add(original, Mapped.Form.CONVOLUTION, name);
    }

    /** A matrix that the layout stores with rows and columns exchanged. */
    public NameTable transposed(String original, String name) {
        return add(original, Mapped.Form.TRANSPOSED, name);
    }

    /** A tensor of which GGUF files drop the leading 1. */
    public NameTable leadingOne(String original, String name) {
        return add(original, Mapped.Form.LEADING_ONE, name);
    }

    private NameTable add(String original, Mapped.Form form, String... names) {
        return add(original, Collections.nCopies(names.length, 1), form, names);
    }

    private NameTable add(String original, List<Integer> shares, Mapped.Form form, String... names) {
        Rule rule = new Rule(NameTemplate.of(original), Stream.of(names).map(NameTemplate::of).toList(), shares, form);
        byOriginal.computeIfAbsent(rule.original.key(), _ -> new ArrayList<>()).add(rule);
        rule.names.forEach(name -> byName.computeIfAbsent(name.key(), _ -> new ArrayList<>()).add(rule));
        return this;
    }

    /** @param levels from which the templates' {@code ~} counts */
    public List<Mapped> fromOriginal(Collection<String> originals, int levels) {
        return originals.stream().map(original -> {
            for (Rule rule : byOriginal.getOrDefault(NameTemplate.key(original), List.of())) {
                NameTemplate.Filling filling = rule.original.match(original, levels);
                if (filling != null) {
                    return rule.fill(filling, levels);
                }
            }
            return Mapped.plain(original, original);
        }).toList();
    }

    /** The relations in the other direction. */
    public List<Mapped> toOriginal(Collection<String> names, int levels) {
        Map<String, Mapped> all = new LinkedHashMap<>();
        for (String name : names) {
            Mapped mapped = ofName(name, levels);
            all.putIfAbsent(mapped.original(), mapped);
        }
        return List.copyOf(all.values());
    }

    private Mapped ofName(String name, int levels) {
        for (Rule rule : byName.getOrDefault(NameTemplate.key(name), List.of())) {
            for (NameTemplate template : rule.names) {
                NameTemplate.Filling filling = template.match(name, levels);
                if (filling != null) {
                    return rule.fill(filling, levels);
                }
            }
        }
        return Mapped.plain(name, name);
    }

    /** One more than the largest number that follows {@code start} in any of the names; 0 for none. */
    public static int count(Collection<String> names, String start) {
        int most = 0;
        for (String name : names) {
            if (name.startsWith(start)) {
                int dot = name.indexOf('.', start.length());
                String number = dot < 0 ? "" : name.substring(start.length(), dot);
                if (number.matches("[0-9]{1,6}")) {
                    most = Math.max(most, Integer.parseInt(number) + 1);
                }
            }
        }
        return most;
    }
}
