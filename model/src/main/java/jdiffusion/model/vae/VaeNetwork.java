package jdiffusion.model.vae;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.DiffusersVaeNames;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * The files of an autoencoder.
 *
 * @param scale of a family's latents, where no file says it
 * @param shift likewise; empty for families whose latents have none
 */
public record VaeNetwork(double scale, OptionalDouble shift) implements Network {
    private static final List<Signature> SIGNATURES = Stream.of("first_stage_model.", "vae.", "")
            .flatMap(prefix -> Stream.of(new Signature(prefix, "decoder.up.", new LdmVaeNames()),
                    new Signature(prefix, "decoder.up_blocks.", new DiffusersVaeNames()))).toList();
    /** The tensors in which single files of Playground v2.5 have means and deviations, [1, channels, 1, 1]. */
    private static final String EDM_MEANS = "edm_mean";
    private static final String EDM_DEVIATIONS = "edm_std";
    /** Scale of latents with means and deviations in tensors: the deviation that EDM gives its data. */
    private static final double EDM_SCALE = 0.5;

    public VaeNetwork(double scale, double shift) {
        this(scale, OptionalDouble.of(shift));
    }

    /** One without a shift. */
    public static VaeNetwork ofScale(double scale) {
        return new VaeNetwork(scale, OptionalDouble.empty());
    }

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
    public Set<String> outside() {
        return Set.of(EDM_MEANS, EDM_DEVIATIONS);
    }

    @Override
    public Naming original() {
        return new LdmVaeNames();
    }

    @Override
    public ObjectNode derived(TensorSource tensors) {
        boolean edm = tensors.shape(EDM_DEVIATIONS) != null;
        ObjectNode json = JsonTree.object().put("scaling_factor", edm ? EDM_SCALE : scale);
        shift.ifPresent(number -> json.put("shift_factor", number));
        numbers(json, VaeConfig.MEANS, numbers(tensors, EDM_MEANS));
        numbers(json, VaeConfig.DEVIATIONS, numbers(tensors, EDM_DEVIATIONS));
        return json;
    }

    private static List<Float> numbers(TensorSource tensors, String name) {
        Tensor tensor = tensors.find(name);
        if (tensor == null) {
            return List.of();
        }
        if (!tensor.type().isFloat()) {
            throw new InputException(tensors.origin() + ": " + name + " has type " + tensor.type()
                    + ", not a floating-point type");
        }
        List<Float> numbers = new ArrayList<>();
        for (float value : tensor.toArray()) {
            numbers.add(value);
        }
        return numbers;
    }

    @Override
    public Map<String, Tensor> outside(ConfigFile config) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map.of(EDM_MEANS, VaeConfig.MEANS, EDM_DEVIATIONS, VaeConfig.DEVIATIONS).forEach((name, key) -> {
            List<Float> numbers = config.numbers(key);
            float[] values = new float[numbers.size()];
            for (int c = 0; c < values.length; c++) {
                values[c] = numbers.get(c);
            }
            if (values.length > 0) {
                tensors.put(name, Tensor.of(values, 1, values.length, 1, 1));
            }
        });
        return tensors;
    }

    @Override
    public Set<String> silent() {
        return Set.of("norm_num_groups", "scaling_factor", "shift_factor", VaeConfig.MEANS,
                VaeConfig.DEVIATIONS);
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
        json.put("layers_per_block", c.layers()).put("act_fn", "silu").put("latent_channels", c.latentChannels())
                .put("norm_num_groups", c.groups()).put("scaling_factor", JsonTree.decimal(c.scale()));
        if (shift.isPresent() || c.shift() != 0) {
            json.put("shift_factor", JsonTree.decimal(c.shift()));
        } else {
            json.putNull("shift_factor");
        }
        numbers(json, VaeConfig.MEANS, c.means());
        numbers(json, VaeConfig.DEVIATIONS, c.deviations());
        return json.put("use_quant_conv", VaeConfig.hasQuantisation(weights))
                .put("use_post_quant_conv", VaeConfig.hasPostQuantisation(weights));
    }

    private static void numbers(ObjectNode json, String key, List<Float> numbers) {
        if (!numbers.isEmpty()) {
            ArrayNode array = json.putArray(key);
            numbers.forEach(number -> array.add(JsonTree.decimal(number)));
        }
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
