package jdiffusion.kernels.linear;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/**
 * What bitsandbytes makes of matrices in 4 bits: {@code reference/quant/bnb4.safetensors} of the folder
 * {@code shared}; a test that asks is skipped where that is not beside the checkout.
 */
record FourBitReference(SafetensorsFile file) implements AutoCloseable {
    static FourBitReference open() {
        String named = System.getenv("JDIFFUSION_SHARED");
        Path found = named == null ? null : Path.of(named);
        for (Path at = Path.of("").toAbsolutePath(); found == null && at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve("shared/reference"))) {
                found = at.resolve("shared");
            }
        }
        assumeTrue(found != null, "no folder shared/reference above the working directory, set JDIFFUSION_SHARED");
        SafetensorsFile file = SafetensorsFile.open(found.resolve("reference/quant/bnb4.safetensors"));
        return new FourBitReference(file);
    }

    /** Such as {@code nf4.double.33x192.weight}. */
    List<String> names() {
        return file.names().stream().filter(name -> name.endsWith("x192.weight") || name.endsWith("x128.weight"))
                .sorted().toList();
    }

    FourBitWeight weight(String name) {
        Tensor dense = expected(name, "dequantized");
        return (FourBitWeight) Weights.of(file, Placement.onHost()).matrix(name, dense.rows(), dense.cols());
    }

    /** {@code what}: dequantized [rows, cols], input [m, cols] or product [m, rows]. */
    Tensor expected(String name, String what) {
        return file.find("expect/" + name + "." + what);
    }

    @Override
    public void close() {
        file.close();
    }
}
