package jdiffusion.tensor.safetensors;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;

/** The weights of one model: a safetensors file, or an index and the files (shards) that it names. */
public final class Checkpoint implements TensorSource, AutoCloseable {
    private static final String FILE = ".safetensors";
    private static final String INDEX = ".safetensors.index";
    private static final String JSON = ".json";
    /** What follows a base name, plain first; the others are how the Hugging Face libraries mark a second precision. */
    private static final List<String> VARIANTS = List.of("", ".bf16", ".fp16", ".fp32");
    private static final Pattern SHARD = Pattern.compile(".*-\\d{5}-of-\\d{5}\\..*");
    private static final int MOST_SHOWN = 4;

    private final String origin;
    private final List<SafetensorsFile> files;
    private final Map<String, Tensor> tensors;

    private Checkpoint(String origin, List<SafetensorsFile> files, Map<String, Tensor> tensors) {
        this.origin = origin;
        this.files = files;
        this.tensors = tensors;
    }

    /**
     * Opens the first of the {@link #candidates}.
     *
     * @throws InputException when none is there, or a file is damaged or does not belong to the others
     */
    public static Checkpoint open(Path folder, String base) {
        List<Path> found = candidates(folder, base);
        if (!found.isEmpty()) {
            return open(found.getFirst());
        }
        throw new InputException(folder + (Files.isDirectory(folder)
                ? ": has neither " + base + FILE + " nor " + base + INDEX + JSON + "; " + instead(folder)
                : ": there is no such folder; check the name, or download the model"));
    }

    /** What to do about a folder without weights, by what else is there. */
    private static String instead(Path folder) {
        try (Stream<Path> entries = Files.list(folder)) {
            List<String> names = entries.map(entry -> entry.getFileName().toString()).sorted().toList();
            for (String name : names) {
                if (SHARD.matcher(name).matches() && name.endsWith(FILE)) {
                    return name + " is one shard of several, so download the index that says what is in which";
                }
            }
            for (String name : names) {
                if (name.matches(".*\\.(part|crdownload|incomplete|aria2|download|tmp)")) {
                    return name + " is a download that is not finished; go on with it, or start it again";
                }
                if (name.matches(".*\\.(bin|ckpt|pt|pth|msgpack|onnx)")) {
                    return name + " is not read; download the model's weights as safetensors";
                }
            }
        } catch (IOException _) {
            // The plain advice is right then, too.
        }
        return "download the model's weights";
    }

    /**
     * The files that hold the weights of one name in a folder, the one that is taken first:
     * {@code <base>.safetensors} or else {@code <base>.safetensors.index.json}, then the same in bf16, fp16, fp32 and
     * whatever else ({@code <base>.fp16.safetensors}, {@code <base>.safetensors.index.fp16.json}), in any case.
     *
     * @param base {@code model} for text encoders, {@code diffusion_pytorch_model} for denoisers and VAEs
     */
    public static List<Path> candidates(Path folder, String base) {
        Pattern name = Pattern.compile(Pattern.quote(base) + "(?:(\\.[\\w-]+)?" + Pattern.quote(FILE) + "|"
                + Pattern.quote(INDEX) + "(\\.[\\w-]+)?" + Pattern.quote(JSON) + ")", Pattern.CASE_INSENSITIVE);
        Map<String, Path> found = new TreeMap<>();
        try (Stream<Path> entries = Files.list(folder)) {
            for (Path entry : entries.toList()) {
                String text = entry.getFileName().toString();
                Matcher matcher = name.matcher(text);
                if (matcher.matches() && !SHARD.matcher(text).matches()) {
                    boolean index = text.toLowerCase(Locale.ROOT).endsWith(JSON);
                    String variant = matcher.group(index ? 2 : 1);
                    int rank = VARIANTS.indexOf(variant == null ? "" : variant.toLowerCase(Locale.ROOT));
                    found.put((rank < 0 ? VARIANTS.size() : rank) + " " + variant + (index ? " 1 " : " 0 ") + text,
                            entry);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            return List.of();
        }
        return List.copyOf(found.values());
    }

    /** Opens a safetensors file, or the index of a checkpoint in shards when the name ends in {@code .json}. */
    public static Checkpoint open(Path path) {
        if (isIndex(path)) {
            return openShards(path);
        }
        SafetensorsFile file = SafetensorsFile.open(path);
        Map<String, Tensor> tensors = new TreeMap<>();
        file.names().forEach(name -> tensors.put(name, file.find(name)));
        return new Checkpoint(file.origin(), List.of(file), tensors);
    }

    private static Checkpoint openShards(Path path) {
        ShardIndex index = ShardIndex.read(path);
        checkAllThere(path, index);
        Checkpoint checkpoint = new Checkpoint(path.toString(), new ArrayList<>(), new TreeMap<>());
        boolean opened = false;
        try {
            for (String shard : index.shards()) {
                checkpoint.add(shard, SafetensorsFile.open(path.resolveSibling(shard)), index);
            }
            checkpoint.checkComplete(index);
            opened = true;
            return checkpoint;
        } finally {
            if (!opened) {
                checkpoint.close();
            }
        }
    }

    private static boolean isIndex(Path path) {
        return path.toString().toLowerCase(Locale.ROOT).endsWith(JSON);
    }

    /** The file itself, or with an index also the files that it names. */
    public static List<Path> files(Path path) {
        List<Path> all = new ArrayList<>(List.of(path));
        if (isIndex(path)) {
            ShardIndex.read(path).shards().forEach(shard -> all.add(path.resolveSibling(shard)));
        }
        return all;
    }

    /** Says at once which downloads are missing, instead of one at a time. */
    private static void checkAllThere(Path path, ShardIndex index) {
        List<String> missing = index.shards().stream()
                .filter(shard -> !InputFile.isThere(path.resolveSibling(shard))).toList();
        if (!missing.isEmpty()) {
            throw new InputException(path + ": " + missing.size() + " of its " + index.shards().size()
                    + " shards are not beside it: " + String.join(", ", missing.stream().limit(MOST_SHOWN).toList())
                    + (missing.size() > MOST_SHOWN ? ", ..." : "") + "; download them");
        }
    }

    private void add(String shard, SafetensorsFile file, ShardIndex index) {
        files.add(file);
        for (String name : file.names()) {
            String expected = index.shardOf().get(name);
            if (!shard.equals(expected)) {
                throw new InputException(origin + ": tensor " + InputException.shown(name) + " is in " + shard
                        + ", but the index " + (expected == null ? "does not know it" : "puts it into " + expected)
                        + "; index and shards are not of one download");
            }
            tensors.put(name, file.find(name));
        }
    }

    private void checkComplete(ShardIndex index) {
        index.shardOf().forEach((name, shard) -> {
            if (!tensors.containsKey(name)) {
                throw new InputException(origin + ": the index puts tensor " + InputException.shown(name) + " into "
                        + shard + ", but it is not there; index and shards are not of one download");
            }
        });
    }

    /** The opened file or index. */
    @Override
    public String origin() {
        return origin;
    }

    /** The free text that the file, or the first shard, carries about itself. */
    public Map<String, String> metadata() {
        return files.isEmpty() ? Map.of() : files.getFirst().metadata();
    }

    /** In the order of {@link String#compareTo}. */
    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public Tensor find(String name) {
        return tensors.get(name);
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
