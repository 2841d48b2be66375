package jdiffusion.model.vae;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/** Two sources as one; they have no name in common. */
record JoinedSource(TensorSource first, TensorSource second) implements TensorSource {
    private TensorSource owner(String name) {
        return second.names().contains(name) ? second : first;
    }

    @Override
    public String origin() {
        return first.origin() + " with " + second.origin();
    }

    @Override
    public Set<String> names() {
        Set<String> names = new TreeSet<>(first.names());
        names.addAll(second.names());
        return names;
    }

    @Override
    public Tensor find(String name) {
        return owner(name).find(name);
    }

    @Override
    public Weight weight(String name) {
        return owner(name).weight(name);
    }

    @Override
    public Shape shape(String name) {
        return owner(name).shape(name);
    }

    @Override
    public String stored(String name) {
        return owner(name).stored(name);
    }

    @Override
    public List<String> faults() {
        return Stream.concat(first.faults().stream(), second.faults().stream()).toList();
    }
}
