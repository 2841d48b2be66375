package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.UnsupportedModelException;
import jdiffusion.model.pipeline.Float8Check;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** Recomputes reference folders and compares every tensor in them. */
public final class Verifier {
    private final Backend backend;
    private final double tolerance;
    private final Path model;
    private final ModelSources sources;
    private final Path defaultModel;

    /** With nothing said about models beside their paths. */
    public Verifier(Backend backend, double tolerance, Path model, Path defaultModel) {
        this(backend, tolerance, model, ModelSources.NONE, defaultModel);
    }

    /**
     * @param tolerance    relative RMS error that a tensor may have
     * @param model        the model for all pipeline folders; null for the one that each names
     * @param sources      what else the user says about it
     * @param defaultModel the model for pipeline folders that name none
     */
    public Verifier(Backend backend, double tolerance, Path model, ModelSources sources, Path defaultModel) {
        this.backend = backend;
        this.tolerance = tolerance;
        this.model = model;
        this.sources = sources;
        this.defaultModel = defaultModel;
    }

    /** Recomputes one folder, or one file of data, which has tolerances of its own. */
    public List<Comparison> verify(ReferenceFolder folder) {
        Path path = folder.path();
        if (folder.unknown() != null) {
            throw new UnsupportedModelException(folder.unknown());
        }
        if (folder.data() != null) {
            return folder.data().check().apply(path, defaultModel);
        }
        try (SafetensorsFile io = SafetensorsFile.open(path.resolve(ReferenceFolder.IO))) {
            if (folder.kind() == null) {
                Expected expected = new Expected(path.toString(), io, tolerance);
                new PipelineVerifier(backend, model, sources, defaultModel).verify(path, expected);
                return expected.finish();
            }
            List<Comparison> all = new ArrayList<>();
            for (ReferenceKind.Layout layout : folder.kind().layouts().apply(path)) {
                Expected expected = new Expected(layout.label(), io, tolerance);
                run(path, folder.kind(), layout, expected);
                all.addAll(expected.finish());
            }
            return all;
        }
    }

    private <M> void run(Path path, ReferenceKind<M> kind, ReferenceKind.Layout layout, Expected expected) {
        Component component = kind.component();
        ModelFiles.Open files = layout.files().get();
        if (backend.precision() == Precision.FP8) {
            try {
                Float8Check.check(files.tensors(), layout.label());
            } catch (RuntimeException e) {
                files.close();
                throw e;
            }
        }
        Stages.run(backend, files, false, component, component.option(), kind.loader(), stage -> {
            kind.check().run(path, stage.counting() ? expected.blank() : expected, stage);
            return null;
        }, _ -> { });
    }
}
