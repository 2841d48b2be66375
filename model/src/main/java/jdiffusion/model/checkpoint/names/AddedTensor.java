package jdiffusion.model.checkpoint.names;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/** A source with one tensor more, which its files leave out because all know what is in it. */
public record AddedTensor(TensorSource source, String name, Tensor tensor) implements TensorSource {
    @Override
    public String origin() {
        return source.origin();
    }

    @Override
    public Set<String> names() {
        Set<String> names = new TreeSet<>(source.names());
        names.add(name);
        return names;
    }

    @Override
    public Tensor find(String wanted) {
        return wanted.equals(name) ? tensor : source.find(wanted);
    }

    @Override
    public Weight weight(String wanted) {
        return wanted.equals(name) ? Weight.of(tensor) : source.weight(wanted);
    }

    @Override
    public Shape shape(String wanted) {
        return wanted.equals(name) ? tensor.shape() : source.shape(wanted);
    }

    @Override
    public String stored(String wanted) {
        return source.stored(wanted);
    }

    @Override
    public List<String> faults() {
        return source.faults();
    }
}
