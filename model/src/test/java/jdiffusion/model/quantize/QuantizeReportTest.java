package jdiffusion.model.quantize;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.WrappedFiles;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import org.junit.jupiter.api.Test;

class QuantizeReportTest {
    /** One matrix that lacks a part. */
    private static final TensorSource DAMAGED = new TensorSource() {
        @Override
        public String origin() {
            return "a file";
        }

        @Override
        public Set<String> names() {
            return Set.of("x.weight");
        }

        @Override
        public Tensor find(String name) {
            return null;
        }

        @Override
        public Shape shape(String name) {
            return Shape.of(64, 64);
        }

        @Override
        public List<String> faults() {
            return List.of("missing x.weight.absmax");
        }
    };

    private record Damaged(TensorSource tensors, ConfigFile config) implements WrappedFiles.Open {
        @Override
        public void close() {
            // Nothing is open.
        }
    }

    @Test
    void aMatrixWithoutAllItsParts() {
        var files = new WrappedFiles(DiffusersFolder.open(TestData.defaultModel(), Families.ALL)) {
            @Override
            public Open open(Component component) {
                return new Damaged(DAMAGED, ConfigFile.empty("none"));
            }
        };
        assertThatThrownBy(() -> QuantizeReport.of(files, List.of(Component.DENOISER), QuantizeRules.parse("nf4"),
                _ -> { })).isInstanceOf(InputException.class).hasMessage("a file: missing x.weight.absmax");
    }
}
