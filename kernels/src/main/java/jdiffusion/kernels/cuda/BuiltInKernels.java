package jdiffusion.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Optional;

/** The PTX that the program carries. */
final class BuiltInKernels implements KernelSource {
    @Override
    public String ptx(String file) {
        try {
            return PtxTwin.restored(Ptx.text(resource(file + Ptx.ENDING)), this::ptx);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public Optional<LineTable> lines(String file) {
        try {
            LineTable lines = LineTable.unpack(resource(file + LineTable.ENDING));
            if (!lines.hash().equals(Ptx.sha256(ptx(file)))) {
                throw new IllegalStateException("the line table of " + file + ".cu is of other PTX than the program's");
            }
            return Optional.of(lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] resource(String file) throws IOException {
        String name = "/jdiffusion/kernels/" + file;
        try (InputStream in = KernelSource.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("the program lacks its kernels " + name);
            }
            return in.readAllBytes();
        }
    }
}
