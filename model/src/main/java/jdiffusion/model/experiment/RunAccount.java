package jdiffusion.model.experiment;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Run;
import jdiffusion.model.request.PictureText;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Tensor;

/**
 * What a recording was made with, and what it holds.
 *
 * @param settings      of the first picture, as pictures carry them
 * @param device        in words
 * @param model         its name
 * @param files         SHA-256 of the model's files, by their names
 * @param options       what was chosen to be kept, as the user wrote it, by the options' names
 * @param interventions as the user wrote them
 */
public record RunAccount(String settings, String device, String model, Map<String, String> files,
                         Map<String, List<String>> options, List<String> interventions) {
    private static final int DEPTH = 3;
    private static final int PIECE = 1 << 20;

    /** @param model its folder or file, of which all weights and configurations are hashed */
    public static RunAccount of(Pipeline pipeline, GenerationRequest request, PictureText text, Path model,
                                Map<String, List<String>> options, List<String> interventions) {
        GenerationRequest one = request.toBuilder().images(1).build();
        return new RunAccount(text.of(one).text(), pipeline.device(), pipeline.variant().label(), hashes(model),
                options, interventions);
    }

    private static Map<String, String> hashes(Path model) {
        Map<String, String> hashes = new TreeMap<>();
        try (Stream<Path> below = Files.walk(model, DEPTH)) {
            for (Path file : below.filter(Files::isRegularFile).toList()) {
                String name = file.getFileName().toString();
                if (file.equals(model) || name.endsWith(".safetensors") || name.endsWith(".gguf")
                        || name.endsWith(".json")) {
                    hashes.put(file.equals(model) ? name : model.relativize(file).toString().replace('\\', '/'),
                            hash(file));
                }
            }
        } catch (IOException e) {
            throw InputFile.unreadable(model, e);
        }
        return hashes;
    }

    private static String hash(Path file) throws IOException {
        MessageDigest digest = sha256();
        ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
        try (FileChannel channel = InputFile.open(file)) {
            while (channel.read(piece.clear()) > 0) {
                digest.update(piece.flip());
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static String hash(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return HexFormat.of().formatHex(sha256().digest(bytes.array()));
    }

    /**
     * Writes it as JSON.
     *
     * @param tensors the file with the recording
     */
    public void write(Path file, Path tensors, Run run) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("tensors_file", tensors.getFileName().toString())
                .put("settings", settings).put("model", model).put("device", device);
        ObjectNode hashes = root.putObject("model_files_sha256");
        files.forEach(hashes::put);
        ObjectNode chosen = root.putObject("options");
        options.forEach((name, values) -> values.forEach(value -> chosen.withArray("/" + name).add(value)));
        ArrayNode done = root.putArray("interventions");
        interventions.forEach(done::add);
        ArrayNode pictures = root.putArray("pictures_sha256");
        for (Picture picture : run.pictures()) {
            pictures.add(HexFormat.of().formatHex(sha256().digest(picture.rgb())));
        }
        ArrayNode all = root.putArray("tensors");
        for (Map.Entry<String, Tensor> entry : run.recording().tensors().entrySet()) {
            ObjectNode node = all.addObject().put("name", entry.getKey());
            ArrayNode shape = node.putArray("shape");
            for (int dim : entry.getValue().shape().dims()) {
                shape.add(dim);
            }
            node.put("sha256", hash(entry.getValue().toArray()));
        }
        byte[] bytes = (root.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
        OutputFile.write(file, channel -> OutputFile.put(channel, ByteBuffer.wrap(bytes)));
    }
}
