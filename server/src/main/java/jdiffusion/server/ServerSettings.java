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
                             Limits limits, int queue, Duration idle, List<String> keys, List<String> hosts, MemoryWish memory,
                             String quantize, String version, Consumer<String> log) {
    public static final int USUAL_QUEUE = 256;
    public static final Duration USUAL_IDLE = Duration.ofMinutes(10);

    /** A server of one model for this machine alone, at a free port, which says nothing. */
    public static ServerSettings of(Backend backend, Path model) {
        return new ServerSettings(backend, "127.0.0.1", 0, model, null,
                path -> Families.open(path, ModelSources.NONE), null, null, null, Limits.DEFAULT, USUAL_QUEUE, USUAL_IDLE,
                List.of(), List.of(), MemoryWish.NONE, null, "jdiffusion", _ -> { });
    }
}
