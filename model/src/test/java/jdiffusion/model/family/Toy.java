package jdiffusion.model.family;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.Signature;
import jdiffusion.model.checkpoint.names.NameTable;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.TableNames;
import jdiffusion.model.image.LatentPreview;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.ClipSizes;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.TensorList;
import jdiffusion.model.synthetic.VaeSizes;
import jdiffusion.model.text.ClipNetwork;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.model.vae.VaeNetwork;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * The smallest family there can be: CLIP-L's pooled text and four latent channels, of which one matrix makes a
 * velocity. Its tensors are named so that SD3's could be meant, and its folders are its own.
 */
final class Toy implements Family {
    static final int CHANNELS = 4;
    static final int POOLED = 32;
    private static final Variant ONLY = new Variant("toy", "Toy", 3, 2, 32);
    private static final Naming NAMES = new TableNames("the toy's names", new NameTable()
            .plain("toy.mix.*", "transformer_blocks.0.mix.*").plain("toy.text.*", "toy_text.*"));

    /** Both are matrices: of the pooled text, and of the channels. */
    record Sizes() implements NetworkSizes {
        @Override
        public ObjectNode config() {
            return JsonTree.object().put("_class_name", "ToyTransformer");
        }

        @Override
        public void tensors(TensorList list) {
            list.linear("transformer_blocks.0.mix", 0.1, CHANNELS, CHANNELS).linear("toy_text", CHANNELS, POOLED);
        }
    }

    private static final class Files implements Network {
        @Override
        public String label() {
            return "Toy";
        }

        @Override
        public String className() {
            return "ToyTransformer";
        }

        @Override
        public List<Signature> signatures() {
            return List.of(new Signature("", List.of("transformer_blocks.", "toy_text."), Naming.DIFFUSERS, false),
                    new Signature("model.diffusion_model.", "toy.", original()));
        }

        @Override
        public Naming original() {
            return NAMES;
        }

        @Override
        public ObjectNode derived(TensorSource tensors) {
            return JsonTree.object();
        }

        @Override
        public Set<String> silent() {
            return Set.of();
        }

        @Override
        public ObjectNode described(Weights weights, ConfigFile config) {
            return new Sizes().config();
        }

        @Override
        public boolean isOf(ConfigFile config, TensorSource tensors) {
            return config.kind().contains("ToyTransformer");
        }

        @Override
        public Net load(Weights weights, ConfigFile config) {
            return Net.load(weights);
        }
    }

    /** The denoiser. */
    record Net(Linear mix, Linear text) implements Denoiser, DenoiserConfig {
        static Net load(Weights w) {
            Net net = new Net(Linear.load(w.at("transformer_blocks.0.mix"), CHANNELS, CHANNELS),
                    Linear.load(w.at("toy_text"), CHANNELS, POOLED));
            w.finish();
            return net;
        }

        @Override
        public DenoiserConfig config() {
            return this;
        }

        @Override
        public ControlTraits control() {
            return null;
        }

        @Override
        public DenoiserRun start(Compute compute, DenoiserSetup setup) {
            Backend backend = compute.backend();
            int pixels = setup.height() * setup.width();
            Tensor patches = compute.workspace().operand(setup.batch(), pixels, CHANNELS);
            Tensor mixed = compute.workspace().f32(setup.batch(), pixels, CHANNELS);
            Tensor pooled = compute.workspace().operand(setup.batch(), POOLED);
            Tensor shifts = compute.workspace().f32(setup.batch(), CHANNELS);
            for (int i = 0; i < setup.batch(); i++) {
                backend.upload(setup.entries().get(i).pooled().toArray(), pooled.at(i));
            }
            text.apply(backend, pooled, shifts);
            return new DenoiserRun() {
                @Override
                public void predict(Tensor latents, float time, Tensor out) {
                    backend.patchify(latents, 1, patches);
                    mix.apply(backend, patches, mixed);
                    mix.apply(backend, patches, Epilogue.ADD, mixed);
                    backend.unpatchify(mixed, 1, out);
                }

                @Override
                public void predict(Tensor latents, float[] times, Tensor out) {
                    predict(latents, times[0], out);
                }
            };
        }

        @Override
        public int inChannels() {
            return CHANNELS;
        }

        @Override
        public int outChannels() {
            return CHANNELS;
        }

        @Override
        public int patch() {
            return 1;
        }

        @Override
        public int contextDim() {
            return 0;
        }

        @Override
        public int pooledDim() {
            return POOLED;
        }

        @Override
        public int positions() {
            return 0;
        }

        @Override
        public int layers() {
            return 0;
        }

        @Override
        public String describe() {
            return "one matrix";
        }
    }

    private static final class Text implements Conditioner {
        private final TextEncoders encoders;

        Text(Stages stages) {
            encoders = new TextEncoders(stages);
        }

        @Override
        public void check(GenerationRequest request, boolean run) {
            if (request.t5()) {
                throw new InputException("Toy has no T5");
            }
        }

        @Override
        public void hold(GenerationRequest request) {
            encoders.hold(Component.CLIP_L);
        }

        @Override
        public List<List<Conditioning>> encode(List<Asked> requests, Listener listener) {
            return encoders.clip(Component.CLIP_L, requests.stream().map(asked -> Texts.clip(
                    asked.prompts())).toList(), ClipTextEncoder.Pooled.PROJECTED, listener).stream().map(clip ->
                    IntStream.range(0, clip.pooled().length / POOLED).mapToObj(i -> new Conditioning(Map.of(
                            Conditioning.POOLED, Tensor.of(Arrays.copyOfRange(clip.pooled(), i * POOLED,
                                    (i + 1) * POOLED), POOLED)))).toList()).toList();
        }
    }

    @Override
    public String name() {
        return "toy";
    }

    @Override
    public String label() {
        return "Toy";
    }

    @Override
    public String pipeline() {
        return "ToyPipeline";
    }

    @Override
    public List<ComponentFormat> formats() {
        return List.of(
                new ComponentFormat(Component.CLIP_L, ClipNetwork.ofL(), "reader", "words", false,
                        "text_encoders.clip_l.transformer.", List.of("lora_te_")),
                new ComponentFormat(Component.DENOISER, new Files(), "net", null, false, "model.diffusion_model.",
                        List.of("lora_unet_")),
                new ComponentFormat(Component.VAE, new VaeNetwork(0.5, 0), "vae", null, false, "first_stage_model.",
                        List.of()));
    }

    @Override
    public NoiseScheduler scheduler() {
        return FlowScheduler.ofShift(1);
    }

    @Override
    public boolean fits(Component component, TensorSource tensors, TensorSource denoiser) {
        return component != Component.DENOISER;
    }

    @Override
    public List<Variant> variants() {
        return List.of(ONLY);
    }

    @Override
    public Variant variant(ModelFiles files, DenoiserConfig config) {
        return ONLY;
    }

    @Override
    public Denoiser loadDenoiser(Weights weights, ConfigFile config) {
        return Net.load(weights);
    }

    @Override
    public Conditioner conditioner(Stages stages, DenoiserConfig denoiser) {
        return new Text(stages);
    }

    @Override
    public Conditioning blank(DenoiserConfig denoiser, int tokens) {
        return new Conditioning(Map.of(Conditioning.POOLED, Tensor.of(new float[POOLED], POOLED)));
    }

    @Override
    public LatentSpace latents(VaeConfig vae) {
        return LatentSpace.of(vae);
    }

    @Override
    public LatentPreview preview() {
        return null;
    }

    @Override
    public int textTokens() {
        return 77;
    }

    @Override
    public int mostTextTokens() {
        return 77;
    }

    @Override
    public List<SyntheticKind> synthetic() {
        return List.of();
    }

    @Override
    public BenchShapes bench(SyntheticModel model) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<ReferenceKind<?>> references() {
        return List.of();
    }

    /** A model with random weights. */
    static SyntheticModel synthetic(int vocabulary) {
        return new SyntheticModel(new Toy(), Map.of(Component.DENOISER, new Sizes(), Component.CLIP_L,
                new ClipSizes(vocabulary, 32, 2, 64, 2, POOLED, "quick_gelu"), Component.VAE,
                new VaeSizes(List.of(32, 32), 1, 32, CHANNELS, 0.5, 0)), FlowScheduler.ofShift(1));
    }
}
