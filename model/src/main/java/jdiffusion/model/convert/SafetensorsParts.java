package jdiffusion.model.convert;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.safetensors.SafetensorsWriter.Entry;

/** What safetensors files have of a tensor: itself, or the parts that bitsandbytes and ComfyUI store. */
final class SafetensorsParts {
    private static final String WEIGHT = ".weight";

    private SafetensorsParts() {
    }

    static boolean takes(Stored stored) {
        return !(stored instanceof Stored.Blocks);
    }

    /** @param prefix of the component's names, under which a mark says that some of its matrices are scaled */
    static List<Entry> of(List<Outgoing> tensors, String prefix) {
        List<Entry> entries = new ArrayList<>();
        tensors.forEach(tensor -> add(tensor, entries));
        if (tensors.stream().anyMatch(tensor -> tensor.stored() instanceof Stored.Scaled)) {
            entries.add(new Entry(prefix + "scaled_fp8", DType.F8_E4M3, Shape.of(2), Content.of(new byte[2])));
        }
        return entries;
    }

    private static void add(Outgoing tensor, List<Entry> entries) {
        String name = tensor.name();
        switch (tensor.stored()) {
            case Stored.Plain p -> entries.add(new Entry(name, p.type(), tensor.shape(), p.bytes()));
            case Stored.Scaled s -> {
                entries.add(new Entry(name, s.type(), tensor.shape(), s.bytes()));
                String owner = name.substring(0, name.length() - WEIGHT.length());
                entries.add(new Entry(owner + ".scale_weight", DType.F32, Shape.of(), s.scale()));
            }
            case Stored.FourBit f -> {
                entries.add(new Entry(name, DType.U8, Shape.of(size(f.codes(), DType.U8), 1), f.codes()));
                entries.add(Entry.of(name + ".quant_map", f.map()));
                vector(name + ".absmax", f.nested() == null ? DType.F32 : DType.U8, f.absmax(), entries);
                if (f.nested() != null) {
                    vector(name + ".nested_absmax", DType.F32, f.nested().absmax(), entries);
                    entries.add(Entry.of(name + ".nested_quant_map", f.nested().map()));
                }
                byte[] state = state(f, tensor.shape()).getBytes(StandardCharsets.UTF_8);
                vector(name + ".quant_state.bitsandbytes__" + f.kind(), DType.U8, Content.of(state), entries);
            }
            case Stored.Blocks b -> throw new IllegalArgumentException(name + ": safetensors has no " + b.label());
        }
    }

    private static void vector(String name, DType type, Content content, List<Entry> entries) {
        entries.add(new Entry(name, type, Shape.of(size(content, type)), content));
    }

    private static int size(Content content, DType type) {
        return Math.toIntExact(content.byteSize() / type.bytes());
    }

    /** The quantisation state, to the byte as bitsandbytes writes it. */
    private static String state(Stored.FourBit f, Shape shape) {
        String nested = f.nested() == null ? "" : ", \"nested_blocksize\": " + f.nested().blockSize()
                + ", \"nested_dtype\": \"float32\", \"nested_offset\": " + (double) f.nested().offset();
        return "{\"quant_type\": \"" + f.kind() + "\", \"blocksize\": " + f.blockSize()
                + ", \"dtype\": \"bfloat16\", \"shape\": " + shape + nested + "}";
    }
}
