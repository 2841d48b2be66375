package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.device.Devices;
import jdiffusion.server.Server;
import jdiffusion.server.ServerSettings;
import jdiffusion.server.draw.Limits;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Draws for clients over HTTP until it is told to end. */
@Command(name = "serve", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Draw for clients over HTTP.", customSynopsis = "jdiffusion serve [OPTIONS]",
        description = "Answers at /v1/images as OpenAI does, at /sdapi/v1 as AUTOMATIC1111's web UI does, and at"
            + " /api/v1 with jobs and events. The model stays in memory. Ctrl-C lets the picture that is drawn come to"
            + " its end.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion serve",
            "  jdiffusion serve -m sd_xl_turbo_1.0.safetensors --port 7860 -o pictures/",
            "  jdiffusion serve --models-dir models/ --lora-dir loras/ \\",
            "      --host 0.0.0.0 --api-key-file keys"})
final class ServeCommand implements Callable<Integer> {
    private static final int LAST_PORT = 65_535;

    @Mixin
    private ModelOptions model;

    @Option(names = "--models-dir", paramLabel = "DIR",
            description = "Folder of models that requests may name; each is loaded when it is asked for.")
    private Path modelsDir;

    @Option(names = {"--lora-dir", "--lora-model-dir"}, paramLabel = "DIR",
            description = "Where the LoRAs are that prompts name as <lora:NAME:WEIGHT>, or in a folder below.")
    private Path loraDir;

    @Option(names = "--control-dir", paramLabel = "DIR",
            description = "Where the ControlNets are that AUTOMATIC1111's units name: Stability's files, diffusers'"
                + " folders.")
    private Path controlDir;

    @Option(names = {"-o", "--output"}, paramLabel = "DIR",
            description = "Folder to keep all pictures in, which makes the history. Default: none are kept.")
    private Path output;

    @Option(names = "--host", paramLabel = "NAME", defaultValue = "127.0.0.1",
            description = "Where to listen; 0.0.0.0 for all networks. Default: ${DEFAULT-VALUE}, this machine alone.")
    private String host;

    @Option(names = "--port", paramLabel = "N", defaultValue = "8080",
            description = "0 for any that is free. Default: ${DEFAULT-VALUE}; A1111's clients expect 7860.")
    private int port;

    @Option(names = "--api-key", paramLabel = "KEY",
            description = "Clients must send it: as Bearer, or as the password of Basic. May be repeated.")
    private List<String> keys = new ArrayList<>();

    @Option(names = "--api-key-file", paramLabel = "FILE",
            description = "The same, one key a line, where no list of processes shows them.")
    private Path keyFile;

    @Option(names = "--allowed-host", paramLabel = "NAME",
            description = "A name by which browsers may call this server, beside localhost and addresses; needed"
                + " behind a proxy. May be repeated.")
    private List<String> hosts = new ArrayList<>();

    @Option(names = "--queue", paramLabel = "N", defaultValue = "" + ServerSettings.USUAL_QUEUE,
            description = "Jobs that may wait; more are refused with 429. Default: ${DEFAULT-VALUE}.")
    private int queue;

    @Option(names = "--idle-unload", paramLabel = "SECONDS", defaultValue = "600",
            description = "Let go of a model that nobody asked for in so long. Default: ${DEFAULT-VALUE}.")
    private long idle;

    @Option(names = "--stop-timeout", paramLabel = "SECONDS", defaultValue = "60",
            description = "How long the picture that is drawn may take after Ctrl-C. Default: ${DEFAULT-VALUE}.")
    private long stopTimeout;

    @Option(names = "--max-megapixels", paramLabel = "X", defaultValue = "4.2",
            description = "Of a picture. Default: ${DEFAULT-VALUE}.")
    private double megapixels;

    @Option(names = "--max-steps", paramLabel = "N", defaultValue = "200",
            description = "Of a request. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--max-images", paramLabel = "N", defaultValue = "16",
            description = "Of a request. Default: ${DEFAULT-VALUE}.")
    private int images;

    @Option(names = "--max-body", paramLabel = "SIZE", converter = ByteSize.class, defaultValue = "64MiB",
            description = "Of a request. Default: ${DEFAULT-VALUE}.")
    private long body;

    @Option(names = "--precision", paramLabel = "NAME", completionCandidates = Choices.Precisions.class,
            description = "Inputs of matrix products: ${COMPLETION-CANDIDATES}. Default: f32 on the CPU, bf16 on"
                + " CUDA devices. bf16x2 and bf16x3 need a CPU with AMX. fp8 is for layers whose weights are stored as"
                + " fp8 (e4m3 or e5m2); cards need compute capability 8.9 for it.")
    private String precision;

    @Mixin
    private QuantizeOptions quantizing;

    @Mixin
    private DeviceOptions deviceOptions;

    @Mixin
    private MemoryOptions memoryOptions;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() throws InterruptedException {
        check();
        if (keyFile != null) {
            keys.addAll(readKeys());
        }
        try (Devices.Opened opened = Devices.open(deviceOptions.choice(), precision, this::say);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion serve", main.err())) {
            Limits limits = new Limits(Math.round(megapixels * 1e6), steps, images, body);
            ServerSettings settings = ServerSettings.builder(opened.backend(), first()).host(host).port(port)
                    .modelsFolder(modelsDir).opening(this::open).loraFolder(loraDir).controlFolder(controlDir)
                    .output(output).limits(limits).queue(queue).idle(Duration.ofSeconds(idle)).keys(keys).hosts(hosts)
                    .memory(memoryOptions.wish()).quantize(quantizing.quantize).version(Version.line()).log(this::say)
                    .build();
            CountDownLatch stopped = new CountDownLatch(1);
            Server server = Server.start(settings);
            try (var _ = new ExitHook("serve", () -> stop(server, stopped))) {
                say("device: " + opened.backend().describe());
                say("listening at " + server.address() + (keys.isEmpty() && !isLocal() ? "; anybody in the network can"
                        + " draw, since there is no --api-key" : ""));
                stopped.await();
            }
        }
        return Main.OK;
    }

    private boolean isLocal() {
        return host.equals("localhost") || host.startsWith("127.") || host.equals("::1");
    }

    private void stop(Server server, CountDownLatch stopped) {
        say("stopping; the picture that is drawn has " + stopTimeout + " s");
        server.stop(Duration.ofSeconds(stopTimeout));
        say("stopped");
        stopped.countDown();
    }

    private void check() {
        if (port < 0 || port > LAST_PORT) {
            throw new InputException("--port is " + port + "; use 0 to " + LAST_PORT);
        }
        if (queue < 1) {
            throw new InputException("--queue is " + queue + "; use 1 or more");
        }
        if (idle < 0 || stopTimeout < 0) {
            throw new InputException("--idle-unload and --stop-timeout are " + idle + " and " + stopTimeout
                    + "; use 0 or more seconds");
        }
        if (!(megapixels > 0)) {
            throw new InputException("--max-megapixels is " + megapixels + "; use more than 0");
        }
        if (keys.stream().anyMatch(String::isBlank)) {
            throw new InputException("--api-key is empty; give a key, or leave the option out");
        }
    }

    private List<String> readKeys() {
        try {
            List<String> read = Files.readAllLines(keyFile).stream()
                    .map(line -> line.startsWith("\uFEFF") ? line.substring(1).strip() : line.strip())
                    .filter(line -> !line.isEmpty()).toList();
            if (!read.isEmpty()) {
                return read;
            }
        } catch (IOException e) {
            throw InputFile.unreadable(keyFile, e);
        }
        throw new InputException(keyFile + ": there is no key in this file; write one a line");
    }

    /** The model to begin with, which may be named as it is in the folder; null for the folder's first. */
    private Path first() {
        if (!model.given()) {
            return modelsDir == null ? model.path() : null;
        }
        Path path = model.path();
        return modelsDir != null && !Files.exists(path) && Files.exists(modelsDir.resolve(path))
                ? modelsDir.resolve(path) : path;
    }

    private ModelFiles open(Path path) {
        ModelFiles files = model.open(path, Set.of());
        files.notes().forEach(this::say);
        return quantizing.apply(files);
    }

    private synchronized void say(String line) {
        main.err().println(Console.oneLine(line));
    }
}
