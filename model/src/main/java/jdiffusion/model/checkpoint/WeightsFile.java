package jdiffusion.model.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.checkpoint.names.Wrappers;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.gguf.GgufFile;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * A file of weights in any format that is read, mapped until closed: safetensors, the index of one in shards, GGUF.
 * Matrices that are stored quantised in several tensors are put together.
 */
public final class WeightsFile implements AutoCloseable {
    static final String SAFETENSORS = ".safetensors";
    static final String INDEX = ".safetensors.index.json";
    static final String GGUF = ".gguf";
    private static final List<String> PICKLES = List.of(".ckpt", ".pt", ".pth", ".bin", ".pkl");
    private static final List<String> UNFINISHED =
            List.of(".part", ".crdownload", ".incomplete", ".aria2", ".download", ".tmp");
    /** With the mark of a second precision, as diffusers writes it. */
    private static final Pattern INDEX_NAME = Pattern.compile(".*\\.safetensors\\.index(\\.[\\w-]+)?\\.json");
    private static final Pattern SHARD = Pattern.compile(".*-\\d{5}-of-(\\d{5})\\.(safetensors|gguf)");

    private final TensorSource tensors;
    private final UnaryOperator<String> metadata;
    private final Runnable closing;

    private WeightsFile(TensorSource tensors, UnaryOperator<String> metadata, Runnable closing) {
        this.tensors = tensors;
        this.metadata = metadata;
        this.closing = closing;
    }

    /** @throws InputException when it is no such file, or a damaged one */
    public static WeightsFile open(Path path) {
        String name = name(path);
        if (!InputFile.isThere(path)) {
            throw new InputException(path + ": there is no such file; check the name, or download it");
        }
        if (name.endsWith(GGUF) && !isShard(path)) {
            GgufFile file = GgufFile.open(path);
            return new WeightsFile(Wrappers.without(file), key -> file.text(key).orElse(null), file::close);
        }
        if (isShard(path)) {
            throw new InputException(path + ": is one shard of several; give the file that says what is in which, "
                    + path.getFileName().toString().replaceFirst("-\\d{5}-of-\\d{5}.*", "") + INDEX);
        }
        if (PICKLES.stream().anyMatch(name::endsWith)) {
            throw new UnsupportedModelException(path + ": files that Python's pickle wrote can run programs and are not"
                    + " read; use the model's " + SAFETENSORS + " or " + GGUF + " file");
        }
        if (UNFINISHED.stream().anyMatch(name::endsWith)) {
            throw new InputException(path + ": is a download that is not finished; go on with it, or start it again");
        }
        if (!name.endsWith(SAFETENSORS) && !INDEX_NAME.matcher(name).matches()) {
            throw new InputException(path + ": not a file of weights; " + SAFETENSORS + " files, their "
                    + INDEX + " and " + GGUF + " files are read");
        }
        return of(Checkpoint.open(path));
    }

    /** The file itself, or with an index also the files that it names. */
    static List<Path> files(Path path) {
        return name(path).endsWith(GGUF) ? List.of(path) : Checkpoint.files(path);
    }

    /** The same, opened before; closed when it has damaged parts. */
    static WeightsFile of(Checkpoint file) {
        try {
            return new WeightsFile(Wrappers.without(QuantisedSource.of(file)), key -> file.metadata().get(key),
                    file::close);
        } catch (InputException e) {
            file.close();
            throw e;
        }
    }

    /** Whether the name is that of a file of weights, and not of one shard of several. */
    static boolean isWhole(Path path) {
        String name = name(path);
        // What macOS keeps beside files on other systems' disks has their names behind these two characters.
        return Files.isRegularFile(path) && !isShard(path) && !name.startsWith("._")
                && (name.endsWith(SAFETENSORS) || INDEX_NAME.matcher(name).matches() || name.endsWith(GGUF));
    }

    /** Whether the name is that of one shard of several, of which the index is needed. */
    static boolean isShard(Path path) {
        Matcher matcher = SHARD.matcher(name(path));
        return matcher.matches() && !matcher.group(1).equals("00001");
    }

    private static String name(Path path) {
        Path name = path.getFileName();
        return name == null ? "" : name.toString().toLowerCase(Locale.ROOT);
    }

    public TensorSource tensors() {
        return tensors;
    }

    /** A text that the file carries about itself; null for none. */
    String metadata(String key) {
        return metadata.apply(key);
    }

    @Override
    public void close() {
        closing.run();
    }
}
