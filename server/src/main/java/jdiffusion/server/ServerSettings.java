package jdiffusion.server;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.kernels.Backend;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.server.draw.Limits;

/**
 * What a server is started with.
 *
 * @param backend       the device; whoever opened it closes it, after the server
 * @param host          name or address to listen at
 * @param port          0 for any that is free
 * @param model         to begin with; null for the first of the folder
 * @param modelsFolder  with more of them; null for none
 * @param opening       opens a model's files
 * @param loraFolder    where LoRAs are that prompts name; null for none
 * @param controlFolder where ControlNets are that AUTOMATIC1111's units name; null for none
 * @param output        folder to keep pictures in; null to keep none
 * @param limits        of what may be asked for
 * @param queue         jobs that may wait
 * @param idle          time after which a model that nobody asks for is let go of
 * @param keys          one of which clients need; none for free access
 * @param hosts         names by which the server may be called, beside localhost and addresses
 * @param memory        how much of a model may stay
 * @param quantize      rules by which {@code opening} quantises, for the text in pictures; null for none
 * @param version       of the program
 * @param log           gets lines for people
 */
public record ServerSettings(Backend backend, String host, int port, Path model, Path modelsFolder,
                             Function<Path, ModelFiles> opening, Path loraFolder, Path controlFolder, Path output,
                             Limits limits, int queue, Duration idle, List<String> keys, List<String> hosts,
                             MemoryWish memory, String quantize, String version, Consumer<String> log) {
    public static final int USUAL_QUEUE = 256;
    public static final Duration USUAL_IDLE = Duration.ofMinutes(10);

    /** A server of one model for this machine alone, at a free port, which says nothing. */
    public static ServerSettings of(Backend backend, Path model) {
        return builder(backend, model).build();
    }

    /** The same, to be changed. */
    public static Builder builder(Backend backend, Path model) {
        return new Builder(backend, model);
    }

    /** Settings by name; what is not set is as {@link ServerSettings#of} has it. */
    public static final class Builder {
        private final Backend backend;
        private final Path model;
        private String host = "127.0.0.1";
        private int port;
        private Path modelsFolder;
        private Function<Path, ModelFiles> opening = path -> Families.open(path, ModelSources.NONE);
        private Path loraFolder;
        private Path controlFolder;
        private Path output;
        private Limits limits = Limits.DEFAULT;
        private int queue = USUAL_QUEUE;
        private Duration idle = USUAL_IDLE;
        private List<String> keys = List.of();
        private List<String> hosts = List.of();
        private MemoryWish memory = MemoryWish.NONE;
        private String quantize;
        private String version = "jdiffusion";
        private Consumer<String> log = _ -> { };

        private Builder(Backend backend, Path model) {
            this.backend = backend;
            this.model = model;
        }

        public Builder host(String value) {
            host = value;
            return this;
        }

        public Builder port(int value) {
            port = value;
            return this;
        }

        public Builder modelsFolder(Path value) {
            modelsFolder = value;
            return this;
        }

        public Builder opening(Function<Path, ModelFiles> value) {
            opening = value;
            return this;
        }

        public Builder loraFolder(Path value) {
            loraFolder = value;
            return this;
        }

        public Builder controlFolder(Path value) {
            controlFolder = value;
            return this;
        }

        public Builder output(Path value) {
            output = value;
            return this;
        }

        public Builder limits(Limits value) {
            limits = value;
            return this;
        }

        public Builder queue(int value) {
            queue = value;
            return this;
        }

        public Builder idle(Duration value) {
            idle = value;
            return this;
        }

        public Builder keys(List<String> value) {
            keys = value;
            return this;
        }

        public Builder hosts(List<String> value) {
            hosts = value;
            return this;
        }

        public Builder memory(MemoryWish value) {
            memory = value;
            return this;
        }

        public Builder quantize(String value) {
            quantize = value;
            return this;
        }

        public Builder version(String value) {
            version = value;
            return this;
        }

        public Builder log(Consumer<String> value) {
            log = value;
            return this;
        }

        public ServerSettings build() {
            return new ServerSettings(backend, host, port, model, modelsFolder, opening, loraFolder, controlFolder,
                    output, limits, queue, idle, keys, hosts, memory, quantize, version, log);
        }
    }
}
