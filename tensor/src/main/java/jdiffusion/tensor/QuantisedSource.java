package jdiffusion.tensor;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A checkpoint whose quantised matrices are stored in several tensors each, seen as one with a name for each matrix.
 *
 * <p>Known are bitsandbytes' 4 bits ({@link FourBitReader}) and ComfyUI's scaled fp8: {@code x.weight} with its factor
 * in {@code x.scale_weight} (in newer files {@code x.weight_scale}), {@code x.scale_input} ({@code x.input_scale}) for
 * devices that quantise activations too, and an empty tensor {@code scaled_fp8} that says so of the whole file
 * ({@code x.comfy_quant} of one matrix).
 */
public final class QuantisedSource implements TensorSource {
    private static final String WEIGHT = ".weight";
    private static final List<String> SCALES = List.of(".scale_weight", ".weight_scale");
    private static final List<String> OTHER_PARTS = List.of(".scale_input", ".input_scale", ".comfy_quant");
    private static final String SCALED_MARK = "scaled_fp8";

    private final TensorSource stored;
    private final Set<String> names = new TreeSet<>();
    private final Map<String, Weight> weights = new HashMap<>();
    private final Set<String> faults = new LinkedHashSet<>();

    private QuantisedSource(TensorSource stored) {
        this.stored = stored;
        Set<String> all = stored.names();
        for (String name : all) {
            String owner = FourBitReader.owner(name);
            boolean part = owner != null && FourBitReader.isQuantised(all, owner)
                    || isScale(name) && all.contains(scaled(name)) || isMark(name);
            if (!part) {
                names.add(name);
            }
        }
    }

    /** The source itself when it has no such parts. */
    public static TensorSource of(TensorSource stored) {
        if (stored instanceof QuantisedSource) {
            return stored;
        }
        QuantisedSource grouped = new QuantisedSource(stored);
        return grouped.names.size() == stored.names().size() ? stored : grouped;
    }

    private static boolean isMark(String name) {
        return name.equals(SCALED_MARK) || name.endsWith("." + SCALED_MARK);
    }

    private static boolean isScale(String name) {
        return SCALES.stream().anyMatch(name::endsWith) || OTHER_PARTS.stream().anyMatch(name::endsWith);
    }

    /** The matrix that a scale belongs to. */
    private static String scaled(String scale) {
        return scale.substring(0, scale.lastIndexOf('.')) + WEIGHT;
    }

    private String scaleOf(String name) {
        if (name.endsWith(WEIGHT)) {
            String stem = name.substring(0, name.length() - WEIGHT.length());
            for (String scale : SCALES) {
                if (stored.find(stem + scale) != null) {
                    return stem + scale;
                }
            }
        }
        return null;
    }

    @Override
    public String origin() {
        return stored.origin();
    }

    @Override
    public Set<String> names() {
        return names;
    }

    @Override
    public Tensor find(String name) {
        return names.contains(name) && scaleOf(name) == null && FourBitReader.of(stored, name) == null
                ? stored.find(name) : null;
    }

    @Override
    public Weight weight(String name) {
        FourBitReader fourBit = FourBitReader.of(stored, name);
        if (fourBit != null) {
            return weights.computeIfAbsent(name, _ -> fourBit.read(this::part));
        }
        String scale = scaleOf(name);
        return scale == null ? stored.weight(name) : weights.computeIfAbsent(name, _ -> scaled(name, scale));
    }

    @Override
    public Shape shape(String name) {
        FourBitReader fourBit = FourBitReader.of(stored, name);
        return fourBit == null || stored.find(name) == null ? stored.shape(name) : fourBit.shape();
    }

    @Override
    public String stored(String name) {
        return stored.stored(name);
    }

    @Override
    public List<String> faults() {
        return List.copyOf(faults);
    }

    /** Null after a fault, of which there is one for each part. */
    private Weight scaled(String name, String scaleName) {
        Tensor tensor = stored.find(name);
        Tensor scale = stored.find(scaleName);
        if (scale.shape().size() != 1 || !scale.type().isFloat()) {
            faults.add(scaleName + " is " + scale + ", not one floating-point number");
        } else if (tensor.shape().rank() != 2 || !tensor.type().isFloat()) {
            faults.add(name + " is " + tensor + ", not a matrix of floating-point numbers, yet has a " + scaleName);
        } else {
            return new Weight.Scaled(tensor, scale.reshape(1, 1).get(0, 0));
        }
        return null;
    }

    /** A part of a 4-bit matrix as a vector; with no type given, its bytes. Null after a fault. */
    private Tensor part(String name, DType type, long size) {
        Tensor found = stored.find(name);
        long elements = found == null ? 0 : type == null ? found.byteSize() : found.shape().size();
        String needed = size + (type == null ? " bytes" : " of type " + type);
        if (found == null) {
            faults.add("missing " + name + ", " + needed);
        } else if (elements != size || type != null && found.type() != type) {
            faults.add(name + " is " + found.type() + found.shape() + ", not " + needed);
        } else {
            return Tensor.of(found.data(), type == null ? DType.U8 : type, Shape.of(Math.toIntExact(size)));
        }
        return null;
    }
}
