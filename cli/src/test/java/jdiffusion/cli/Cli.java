package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import picocli.CommandLine;

/**
 * One command line run inside the test's JVM.
 *
 * @param err the lines of the error stream
 */
record Cli(int code, String out, List<String> err) {
    /** The commands that take a device, each once it was asked for: a new one need not be listed here. */
    private static final Map<String, Boolean> COMPUTING = new ConcurrentHashMap<>();

    /** Where no device is named it is the CPU: what {@code auto} takes is up to the machine. */
    static Cli run(Object... args) {
        return with(Map.of(), args);
    }

    /** The same with environment variables, of which there are none otherwise. */
    static Cli with(Map<String, String> environment, Object... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Cli run = into(out, environment, args);
        return new Cli(run.code, out.toString(StandardCharsets.UTF_8), run.err);
    }

    private static String[] withDevice(Object... args) {
        List<String> all = new ArrayList<>(Stream.of(args).map(Object::toString).toList());
        if (!all.isEmpty() && !all.contains("--device")
                && COMPUTING.computeIfAbsent(all.getFirst(), Cli::takesADevice)) {
            all.addAll(1, List.of("--device", "cpu"));
        }
        return all.toArray(String[]::new);
    }

    private static boolean takesADevice(String command) {
        return new CommandLine(Main.command(command)).getCommandSpec().optionsMap().containsKey("--device");
    }

    /** The same with a standard output of one's own. */
    static Cli into(OutputStream out, Object... args) {
        return into(out, Map.of(), args);
    }

    private static Cli into(OutputStream out, Map<String, String> environment, Object... args) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(withDevice(args), new Results(out, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8), environment);
        return new Cli(code, "", err.toString(StandardCharsets.UTF_8).lines().toList());
    }

    /** Draws 64x64 pixels in 2 steps without T5 and with these further arguments. */
    static Cli draw(Object... args) {
        List<Object> all = new ArrayList<>(List.of("generate", "-W", 64, "-H", 64, "--steps", 2, "--no-t5"));
        all.addAll(List.of(args));
        return run(all.toArray());
    }

    /** {@link #draw} ends with one line that says this, and leaves no picture. */
    static void assertDrawsNothing(Path folder, String message, Object... args) {
        Path out = folder.resolve("never.png");
        List<Object> all = new ArrayList<>(List.of(args));
        all.addAll(List.of("-o", out));
        Cli run = draw(all.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains(message);
        assertThat(out).doesNotExist();
    }

    /** The names of all files in a folder, sorted. */
    static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    /** A picture file with a gradient in it; the format is the name's ending. */
    static Path picture(Path file, int width, int height) throws IOException {
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                image.setRGB(x, y, (x * 255 / width) << 16 | (y * 255 / height) << 8 | 0x40);
            }
        }
        String name = file.toString();
        ImageIO.write(image, name.substring(name.lastIndexOf('.') + 1), file.toFile());
        return file;
    }
}
