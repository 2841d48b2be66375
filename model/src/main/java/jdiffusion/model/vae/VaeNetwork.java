package jdiffusion.model.vae;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * The files of an autoencoder.
 *
 * @param scale of a family's latents, where no file says it
 * @param shift likewise
 */
public record VaeNetwork(double scale, double shift) implements Network {
    private static final List<Signature> SIGNATURES = Stream.of("first_stage_model.", "vae.", "")
            .flatMap(prefix -> Stream.of(new Signature(prefix, "decoder.up.", new LdmVaeNames()),
                    new Signature(prefix, "decoder.up_blocks.", Naming.DIFFUSERS))).toList();

    @Override
    public String label() {
        return "VAE";
    }

    @Override
    public String className() {
        return "AutoencoderKL";
    }

    @Override
    public List<Signature> signatures() {
        return SIGNATURES;
    }

    @Override
    public Naming original() {
        return new LdmVaeNames();
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        return JsonTree.object().put("scaling_factor", scale).put("shift_factor", shift);
    }

    @Override
    public Set<String> silent() {
        return Set.of("norm_num_groups", "scaling_factor", "shift_factor");
    }

    @Override
    public ObjectNode described(Weights weights, ConfigFile config) {
        VaeConfig c = VaeConfig.of(weights, config);
        ObjectNode json = JsonTree.object().put("_class_name", className()).put("in_channels", 3)
                .put("out_channels", 3);
        ArrayNode down = json.putArray("down_block_types");
        ArrayNode up = json.putArray("up_block_types");
        ArrayNode widths = json.putArray("block_out_channels");
        for (int width : c.channels()) {
            down.add("DownEncoderBlock2D");
            up.add("UpDecoderBlock2D");
            widths.add(width);
        }
        return json.put("layers_per_block", c.layers()).put("act_fn", "silu")
                .put("latent_channels", c.latentChannels()).put("norm_num_groups", c.groups())
                .put("scaling_factor", JsonTree.decimal(c.scale())).put("shift_factor", JsonTree.decimal(c.shift()))
                .put("use_quant_conv", false).put("use_post_quant_conv", false);
    }

    @Override
    public boolean isOf(ConfigFile config, TensorSource tensors) {
        return config.kind().contains("AutoencoderKL");
    }

    @Override
    public Vae load(Weights weights, ConfigFile config) {
        return Vae.load(weights, config);
    }
}
