package jdiffusion.model.checkpoint.names;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import jdiffusion.model.TestData;
import jdiffusion.model.sd3.StabilityNames;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamingTest {
    private static Set<String> published(String manifest) {
        Set<String> names = new TreeSet<>();
        TestData.json(TestData.reference().resolve("manifests").resolve(manifest + ".json")).get("tensors")
                .fieldNames().forEachRemaining(names::add);
        return names;
    }

    /** Every published tensor has a name of its own in the layout, and the way back gives all of them again. */
    @ParameterizedTest
    @ValueSource(strings = {"sd3-medium.transformer", "sd35-medium.transformer", "sd35-large.transformer", "vae",
        "t5-xxl", "clip-l", "clip-g"})
    void thereAndBack(String manifest) {
        Naming naming = manifest.contains("transformer") ? new StabilityNames() : manifest.equals("vae")
                ? new LdmVaeNames() : manifest.startsWith("t5") ? LlamaT5Names.NAMES : new ClipNames();
        Set<String> names = published(manifest);
        List<Mapped> originals = naming.toOriginal(names);
        assertThat(originals).extracting(Mapped::original).doesNotHaveDuplicates();
        assertThat(originals.stream().flatMap(m -> m.names().stream())).containsExactlyInAnyOrderElementsOf(names);
        assertThat(originals)
                .noneMatch(m -> m.original().matches(".*(transformer|up|down)_blocks.*|.*SelfAttention.*"));
        assertThat(naming.fromOriginal(originals.stream().map(Mapped::original).toList()))
                .containsExactlyInAnyOrderElementsOf(originals);
    }

    @Test
    void whatIsSwappedInStabilitysNames() {
        List<Mapped> all = new StabilityNames().toOriginal(published("sd35-medium.transformer"));
        assertThat(all.stream().filter(m -> m.form() == Mapped.Form.SWAPPED).map(Mapped::original))
                .containsExactlyInAnyOrder("final_layer.adaLN_modulation.1.weight",
                        "final_layer.adaLN_modulation.1.bias",
                        "joint_blocks.23.context_block.adaLN_modulation.1.weight",
                        "joint_blocks.23.context_block.adaLN_modulation.1.bias");
        assertThat(all).contains(new Mapped("joint_blocks.12.x_block.attn2.qkv.bias",
                List.of("transformer_blocks.12.attn2.to_q.bias", "transformer_blocks.12.attn2.to_k.bias",
                        "transformer_blocks.12.attn2.to_v.bias"), Mapped.Form.PLAIN));
    }

    @Test
    void theDecodersResolutionsAreCountedFromTheOtherEnd() {
        List<Mapped> all = new LdmVaeNames().toOriginal(published("vae"));
        assertThat(all).contains(
                Mapped.plain("decoder.up.0.block.2.conv1.weight", "decoder.up_blocks.3.resnets.2.conv1.weight"),
                Mapped.plain("decoder.up.3.upsample.conv.bias", "decoder.up_blocks.0.upsamplers.0.conv.bias"),
                Mapped.plain("encoder.down.1.block.0.nin_shortcut.weight",
                        "encoder.down_blocks.1.resnets.0.conv_shortcut.weight"),
                new Mapped("encoder.mid.attn_1.proj_out.weight",
                        List.of("encoder.mid_block.attentions.0.to_out.0.weight"), Mapped.Form.CONVOLUTION));
    }

    /** Names that look like known ones but are not stay as they are, and so are reported in the end. */
    @ParameterizedTest
    @ValueSource(strings = {"joint_blocks.01.x_block.attn.qkv.weight", "joint_blocks.1.x_block.attn.qkv.scale",
        "joint_blocks.-1.x_block.attn.proj.weight", "joint_blocks..x_block.attn.proj.weight",
        "joint_blocks.99999999999.x_block.attn.proj.weight", "t_embedder.mlp.1.weight", "pos_embed.",
        "joint_blocks.#.x_block.attn.proj.weight", "joint_blocks.1.x_block.attn.proj.*", "."})
    void strangers(String name) {
        assertThat(new StabilityNames().fromOriginal(List.of(name))).containsExactly(Mapped.plain(name, name));
    }

    @Test
    void aLevelBelowTheFirst() {
        String name = "decoder.up_blocks.7.resnets.0.conv1.weight";
        assertThat(new LdmVaeNames().fromOriginal(List.of(name))).containsExactly(Mapped.plain(name, name));
    }

    @Test
    void partsAreViewsAndSwappedHalvesChangePlaces() {
        Map<String, Tensor> stored = new TreeMap<>();
        stored.put("m.qkv", Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 3, 2));
        stored.put("m.ada", Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 4, 2));
        stored.put("m.bias", Tensor.of(new float[] {1, 2, 3, 4}, 4));
        stored.put("m.conv", Tensor.of(new float[] {1, 2, 3, 4}, 2, 2, 1, 1));
        stored.put("m.table", Tensor.of(new float[] {1, 2}, 1, 2));
        RenamedSource source = RenamedSource.of(source(stored), "m.", List.of(
                new Mapped("qkv", List.of("q", "k", "v"), Mapped.Form.PLAIN),
                new Mapped("ada", List.of("ada"), Mapped.Form.SWAPPED),
                new Mapped("bias", List.of("bias"), Mapped.Form.SWAPPED),
                new Mapped("conv", List.of("conv"), Mapped.Form.CONVOLUTION),
                new Mapped("table", List.of("table"), Mapped.Form.LEADING_ONE)));
        assertThat(source.find("k").toArray()).containsExactly(3, 4);
        assertThat(source.find("k").data().heapBase()).isEqualTo(stored.get("m.qkv").data().heapBase());
        assertThat(source.shape("v").dims()).containsExactly(1, 2);
        assertThat(source.find("ada")).isNull();
        float[] row = new float[2];
        source.weight("ada").read(1, 0, 2, row, 0);
        assertThat(row).containsExactly(7, 8);
        source.weight("ada").read(2, 0, 2, row, 0);
        assertThat(row).containsExactly(1, 2);
        assertThat(source.find("bias").toArray()).containsExactly(3, 4, 1, 2);
        assertThat(source.weight("conv").rows()).isEqualTo(2);
        assertThat(source.find("table").shape().dims()).containsExactly(1, 1, 2);
        assertThat(source.stored("v")).isEqualTo("m.qkv");
        assertThat(source.find("qkv")).isNull();
    }

    /** Rows that are no multiple of three cannot be q, k and v: the whole is shown, to be reported as of wrong shape. */
    @Test
    void whatCannotBeCutIsLeftWhole() {
        RenamedSource source = RenamedSource.of(source(Map.of("qkv", Tensor.of(new float[8], 4, 2))), "",
                List.of(new Mapped("qkv", List.of("q", "k", "v"), Mapped.Form.PLAIN)));
        assertThat(source.shape("q").dims()).containsExactly(4, 2);
        assertThat(source.find("q").shape().dims()).containsExactly(4, 2);
        assertThat(source.weight("q").rows()).isEqualTo(4);
    }

    @Test
    void twoTensorsThatAreOne() {
        Map<String, Tensor> stored = Map.of("a", Tensor.of(new float[1], 1), "b", Tensor.of(new float[1], 1));
        assertThatThrownBy(() -> RenamedSource.of(source(stored), "", List.of(Mapped.plain("a", "x"),
                Mapped.plain("b", "x")))).hasMessageContainingAll("a and b both are x", "file.safetensors");
    }

    private static TensorSource source(Map<String, Tensor> tensors) {
        return new TensorSource() {
            @Override
            public String origin() {
                return "file.safetensors";
            }

            @Override
            public Set<String> names() {
                return tensors.keySet().stream().collect(Collectors.toSet());
            }

            @Override
            public Tensor find(String name) {
                return tensors.get(name);
            }
        };
    }
}
