package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.families.Families;
import jdiffusion.model.sd3.StabilityNames;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import org.junit.jupiter.api.Test;

/** Files with tensors renamed, reshaped, doubled or gone end in one line, whatever was done to them. */
class ContentsFuzzTest {
    private static final int ROUNDS = 600;
    private static final List<String> ODD = List.of("", ".", "joint_blocks.", "transformer_blocks.0.", "decoder.up.9.",
            "text_model.", "enc.blk.0.", "encoder.block.0.layer.0.SelfAttention.q.weight", "a.scale_weight", "#", "~.*",
            "first_stage_model.decoder.up.0.block.0.conv1.weight", "x.quant_state.bitsandbytes__nf4", "pos_embed");

    private static Map<String, Tensor> everything() {
        Map<String, Tensor> all = new TreeMap<>();
        all.putAll(original(new StabilityNames(), "model.diffusion_model.", TinyModel.denoiser(64, 2, 1, true)));
        all.putAll(original(new LdmVaeNames(), "first_stage_model.", TinyModel.vae()));
        all.putAll(original(Naming.DIFFUSERS, "text_encoders.clip_l.transformer.", TinyModel.clip(16, 16)));
        all.putAll(original(LlamaT5Names.NAMES, "text_encoders.t5xxl.transformer.", TinyModel.t5()));
        return all;
    }

    private static Map<String, Tensor> original(Naming naming, String prefix, Map<String, Tensor> tensors) {
        return TinyModel.original(naming, prefix, new TinyModel.Tensors("tiny", tensors));
    }

    @Test
    void damagedInMemory() {
        Random random = new Random(7);
        Map<String, Tensor> sound = everything();
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            Map<String, Tensor> all = new TreeMap<>(sound);
            List<String> names = new ArrayList<>(sound.keySet());
            for (int i = random.nextInt(4); i >= 0; i--) {
                damage(all, names.get(random.nextInt(names.size())), random);
            }
            try {
                load(all);
            } catch (InputException e) {
                refused++;
                assertThat(e.getMessage()).doesNotContain("\n").contains("damaged.safetensors");
            }
        }
        load(sound);
        assertThat(refused).isGreaterThan(ROUNDS / 2);
    }

    private static void damage(Map<String, Tensor> all, String name, Random random) {
        Tensor tensor = all.getOrDefault(name, Tensor.of(new float[1], 1));
        switch (random.nextInt(6)) {
            case 0 -> all.remove(name);
            case 1 -> all.put(ODD.get(random.nextInt(ODD.size())) + name, tensor);
            case 2 -> all.put(ODD.get(random.nextInt(ODD.size())), tensor);
            case 3 -> all.put(name, Tensor.of(new float[1], random.nextInt(2)));
            case 4 -> all.put(name, tensor.shape().rank() > 1 ? tensor.reshape((int) tensor.shape().size())
                    : tensor.reshape(1, (int) tensor.shape().size()));
            default -> all.put(name.replaceFirst("\\d+", Integer.toString(random.nextInt(1000))), tensor);
        }
    }

    private static void load(Map<String, Tensor> all) {
        TensorSource source = QuantisedSource.of(new TinyModel.Tensors("damaged.safetensors", all));
        Architecture architecture = Families.ALL.getFirst();
        Contents contents = Contents.of(source, "damaged.safetensors", architecture);
        contents.refuseStrays(source);
        contents.parts().forEach((component, part) -> {
            TensorSource ours = new ComponentFile(architecture, component, Path.of("damaged.safetensors"), part, false)
                    .tensors(source);
            Network network = architecture.network(component);
            network.load(Weights.of(ours, Placement.onHost()),
                    ConfigFile.of("damaged.safetensors", network.derived(ours)));
        });
    }
}
