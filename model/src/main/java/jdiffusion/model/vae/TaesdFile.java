package jdiffusion.model.vae;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.JoinedSource;
import jdiffusion.model.checkpoint.HubCache;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.WeightsFile;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.RenamedSource;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * The files of a TAESD: diffusers' folder or its file, or the two files of its author's code, {@code taesd_encoder} and
 * {@code taesd_decoder}, whose names are those of plain sequences. The decoder's sequence begins with its clamp, which
 * diffusers does not count.
 *
 * @param given   what the user gave
 * @param decoder the file that holds the decoder
 * @param encoder the file that holds the encoder; the decoder's when both are in one, null when there is none
 */
public record TaesdFile(Path given, Path decoder, Path encoder) {
    private static final String WEIGHTS = "diffusion_pytorch_model";
    private static final String CONFIG = "config.json";
    private static final String DECODER = "decoder";
    private static final String ENCODER = "encoder";
    private static final String LAYERS = ".layers.";
    private static final Pattern DECODER_FILE = Pattern.compile("(?i).*decoder\\.(safetensors|gguf)");
    private static final Pattern NUMBERED = Pattern.compile("\\d{1,4}\\..*");
    /** What only full autoencoders have. */
    private static final List<String> FULL = List.of("decoder.up_blocks.", "decoder.up.", "decoder.mid");
    private static final String WANTED = "; give the folder of an " + TaesdConfig.CLASS
            + ", its file, or taesd_decoder.safetensors";

    /**
     * Looks for it.
     *
     * @param given a file or folder
     * @throws InputException when there is no TAESD
     */
    public static TaesdFile of(Path given) {
        Path path = HubCache.snapshot(given);
        if (!Files.exists(path)) {
            throw new InputException(given + ": there is no such file or folder" + WANTED);
        }
        if (!Files.isDirectory(path)) {
            return ofFile(given, path);
        }
        List<Path> diffusers = Checkpoint.candidates(path, WEIGHTS);
        return diffusers.isEmpty() ? ofFile(given, sequence(given, path)) : ofFile(given, diffusers.getFirst());
    }

    /** Every TAESD in a folder, one for each layout. */
    public static List<TaesdFile> all(Path folder) {
        List<TaesdFile> all = new ArrayList<>();
        Stream.concat(Checkpoint.candidates(folder, WEIGHTS).stream(), decoders(folder).stream())
                .forEach(file -> all.add(of(file)));
        return all;
    }

    private static List<Path> decoders(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> DECODER_FILE.matcher(file.getFileName().toString()).matches()).sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            throw new InputException(folder + ": cannot be listed: " + e.getMessage(), e);
        }
    }

    private static Path sequence(Path given, Path folder) {
        List<Path> found = decoders(folder);
        if (found.size() == 1) {
            return found.getFirst();
        }
        if (found.isEmpty()) {
            throw new InputException(given + ": no TAESD is in it, neither " + WEIGHTS + ".safetensors nor"
                    + " taesd_decoder.safetensors" + WANTED);
        }
        throw new InputException(given + ": has " + found.size() + " decoders, " + found.get(0).getFileName() + " and "
                + found.get(1).getFileName() + (found.size() > 2 ? " among them" : "")
                + "; give the file of the one for this model");
    }

    private static TaesdFile ofFile(Path given, Path file) {
        try (WeightsFile weights = WeightsFile.open(file)) {
            Set<String> names = weights.tensors().names();
            if (names.stream().anyMatch(name -> FULL.stream().anyMatch(name::contains))) {
                throw new InputException(file + ": is a full autoencoder or holds one, no TAESD" + WANTED);
            }
            if (names.stream().anyMatch(name -> name.startsWith(DECODER + LAYERS))) {
                return new TaesdFile(given, file, file);
            }
            if (names.isEmpty() || !names.stream().allMatch(name -> NUMBERED.matcher(name).matches())) {
                throw new InputException(file + ": is no TAESD, it has neither " + DECODER + LAYERS
                        + "0.weight nor 1.weight" + WANTED);
            }
            // Of the encoder the first is a convolution, of the decoder the clamp.
            boolean encodes = names.stream().anyMatch(name -> name.startsWith("0."));
            Path decoder = encodes ? other(file, ENCODER, DECODER) : file;
            if (decoder == null) {
                throw new InputException(file + ": holds the encoder of a TAESD alone; give its decoder");
            }
            return new TaesdFile(given, decoder, encodes ? file : other(file, DECODER, ENCODER));
        }
    }

    /** The file beside it whose name has the one word for the other; null when there is none. */
    private static Path other(Path file, String word, String wanted) {
        String name = file.getFileName().toString();
        int at = name.lastIndexOf(word);
        Path other = at < 0 ? file : file.resolveSibling(name.substring(0, at) + wanted
                + name.substring(at + word.length()));
        return !other.equals(file) && InputFile.isThere(other) ? other : null;
    }

    /** What pictures call it: the name of the folder, or of the file without its ending. */
    public String name() {
        Path name = given.toAbsolutePath().normalize().getFileName();
        return name == null ? "TAESD" : name.toString().replaceFirst("(?i)\\.(safetensors|gguf)$", "");
    }

    /**
     * Fails when it is not made for such latents.
     *
     * @param channels of the model's latents
     * @param factor   pixels of a picture per latent pixel
     */
    public void checkFit(int channels, int factor) {
        try (ModelFiles.Open open = open()) {
            TaesdConfig config = Taesd.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config();
            if (config.latentChannels() != channels || config.factor() != factor) {
                throw new InputException(given + ": this TAESD is for latents of " + config.latentChannels()
                        + " channels, each " + config.factor() + " pixels wide; the model's have " + channels
                        + " and are " + factor + " wide; give the TAESD of the model's family");
            }
        }
    }

    /** Fails when it holds a decoder alone. */
    public void checkEncodes() {
        try (ModelFiles.Open open = open()) {
            if (Taesd.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).encoder() == null) {
                throw new InputException(given + ": this TAESD has no encoder; put taesd_encoder.safetensors beside its"
                        + " decoder, or let the VAE encode");
            }
        }
    }

    /** Maps its weights. */
    public ModelFiles.Open open() {
        WeightsFile first = WeightsFile.open(decoder);
        WeightsFile second = null;
        try {
            second = encoder == null || encoder.equals(decoder) ? null : WeightsFile.open(encoder);
            boolean sequence = first.tensors().names().stream().allMatch(name -> NUMBERED.matcher(name).matches());
            TensorSource tensors = sequence ? renamed(first.tensors(), TaesdFile::decoderName) : first.tensors();
            if (second != null) {
                tensors = new JoinedSource(tensors, renamed(second.tensors(),
                        name -> ENCODER + LAYERS + name), "");
            }
            return new Opened(first, second, tensors, config(sequence));
        } catch (RuntimeException e) {
            close(first, second);
            throw e;
        }
    }

    private ConfigFile config(boolean sequence) {
        Path file = decoder.resolveSibling(CONFIG);
        if (sequence || !InputFile.isThere(file)) {
            return ConfigFile.empty(decoder.toString());
        }
        ConfigFile config = ConfigFile.read(file);
        return config.has("_class_name") ? config : ConfigFile.empty(decoder.toString());
    }

    /** Without the clamp. */
    private static String decoderName(String name) {
        int dot = name.indexOf('.');
        int layer = dot < 0 ? 0 : Integer.parseInt(name.substring(0, dot));
        return layer == 0 ? name : DECODER + LAYERS + (layer - 1) + name.substring(dot);
    }

    private static TensorSource renamed(TensorSource source, UnaryOperator<String> rename) {
        return RenamedSource.of(source, "", source.names().stream()
                .map(name -> Mapped.plain(name, rename.apply(name))).toList());
    }

    private static void close(WeightsFile first, WeightsFile second) {
        try (first; second) {
            // Closed from right to left, each also when the other fails; one that is null is passed over.
        }
    }

    private record Opened(WeightsFile first, WeightsFile second, TensorSource tensors, ConfigFile config)
            implements ModelFiles.Open {
        @Override
        public void close() {
            TaesdFile.close(first, second);
        }
    }
}
