package jdiffusion.browser;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.server.Server;
import jdiffusion.server.ServerSettings;

/** A server of the repository's small model. */
final class PageServer implements AutoCloseable {
    private final Backend backend = new CpuBackend(2, Precision.F32, null);
    private final Server server;

    /**
     * @param model  a model's folder
     * @param output folder to keep pictures in; null to keep none
     * @param keys   one of which is needed; none for free access
     * @param port   0 for any that is free
     */
    PageServer(Path model, Path output, List<String> keys, int port) {
        this(model, settings -> settings.port(port).output(output).keys(keys));
    }

    /** @param change of the usual settings */
    PageServer(Path model, UnaryOperator<ServerSettings.Builder> change) {
        server = Server.start(change.apply(ServerSettings.builder(backend, model)).build());
    }

    /** The model of the repository. */
    static Path shapes() {
        return ofRepository("models/shapes");
    }

    static Path ofRepository(String path) {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.exists(folder.resolve("models/shapes"))) {
                return folder.resolve(path);
            }
        }
        throw new IllegalStateException("no models/shapes above");
    }

    URI address() {
        return server.address();
    }

    @Override
    public void close() {
        server.close();
        backend.close();
    }
}
