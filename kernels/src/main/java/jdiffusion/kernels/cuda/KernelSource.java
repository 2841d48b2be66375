package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Where a device's kernels come from. */
@FunctionalInterface
public interface KernelSource {
    /** The PTX that was compiled from the sources of this build. */
    KernelSource BUILT_IN = file -> {
        String name = "/jdiffusion/kernels/" + file + ".ptx";
        try (InputStream in = KernelSource.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the program lacks its kernels " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    };

    /** The PTX text of {@code file}: {@code "linear/linear"} for {@code jdiffusion/kernels/linear/linear.cu}. */
    String ptx(String file);
}
