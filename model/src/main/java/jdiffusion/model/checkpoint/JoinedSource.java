package jdiffusion.model.checkpoint;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/**
 * Two sources as one.
 *
 * @param prefix before the names of the second, by which they differ from those of the first; empty where they differ
 *               anyway
 */
public record JoinedSource(TensorSource first, TensorSource second, String prefix) implements TensorSource {
    private boolean isSecond(String name) {
        return name.startsWith(prefix) && (!prefix.isEmpty() || second.names().contains(name));
    }

    private TensorSource owner(String name) {
        return isSecond(name) ? second : first;
    }

    private String inside(String name) {
        return isSecond(name) ? name.substring(prefix.length()) : name;
    }

    @Override
    public String origin() {
        return first.origin() + " with " + second.origin();
    }

    @Override
    public Set<String> names() {
        Set<String> names = new TreeSet<>(first.names());
        second.names().forEach(name -> names.add(prefix + name));
        return names;
    }

    @Override
    public Tensor find(String name) {
        return owner(name).find(inside(name));
    }

    @Override
    public Weight weight(String name) {
        return owner(name).weight(inside(name));
    }

    @Override
    public Shape shape(String name) {
        return owner(name).shape(inside(name));
    }

    @Override
    public String stored(String name) {
        String inside = inside(name);
        String stored = owner(name).stored(inside);
        return stored.equals(inside) ? name : stored;
    }

    @Override
    public List<String> faults() {
        return Stream.concat(first.faults().stream(), second.faults().stream()).toList();
    }
}
