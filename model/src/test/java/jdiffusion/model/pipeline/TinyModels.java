package jdiffusion.model.pipeline;

import java.nio.file.Path;
import java.util.EnumSet;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticSource;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;

/** Small models of any family with random weights and the default model's words. */
final class TinyModels {
    private TinyModels() {
    }

    /** One with little text. */
    static GenerationRequest.Builder request(Pipeline pipeline) {
        GenerationRequest.Builder request = pipeline.request("a red circle").toBuilder();
        return pipeline.family().components().contains(Component.T5) ? request.t5Length(20) : request;
    }

    static Path write(String kind, Path folder) {
        Path words = TestData.defaultModel();
        int clip = Tokenizer.load(words.resolve("tokenizer")).size();
        String third = kind.equals("auraflow") ? "tokenizer_llama" : "tokenizer_3";
        int t5 = Tokenizer.load(words.resolve(third)).size();
        Path made = folder.resolve(kind);
        try (SyntheticSource source = new SyntheticSource(Families.synthetic(kind)
                .tiny(new Vocabularies(clip, clip, t5)), 1, DType.F32, words)) {
            new Exporter(source, new ExportOptions(EnumSet.allOf(Component.class), null, null,
                    ExportOptions.DIFFUSERS_SHARD), ExportProgress.NONE).writeDiffusers(made);
        }
        return made;
    }
}
