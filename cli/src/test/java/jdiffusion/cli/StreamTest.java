package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.PictureSplitter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Streams of small pictures with the default model, as a user would draw them. */
class StreamTest {
    /** Only a process that hangs takes so long, on however slow a machine. */
    private static final Duration PATIENCE = Duration.ofMinutes(10);

    @TempDir
    private Path folder;

    private static Cli stream(Object... args) {
        List<Object> all = new ArrayList<>(List.of("stream", "a red circle", "-W", 64, "-H", 48, "--no-t5",
                "--cfg-scale", 1));
        all.addAll(List.of(args));
        return Cli.run(all.toArray());
    }

    private static void refused(String what, Object... args) {
        Cli run = stream(args);
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.out()).isEmpty();
        assertThat(run.err().getLast()).startsWith("jdiffusion: ").contains(what);
        assertThat(run.err()).filteredOn(line -> line.startsWith("jdiffusion:")).hasSize(1);
    }

    private static List<Picture> pictures(byte[] stream) throws IOException {
        PictureSplitter splitter = new PictureSplitter(new ByteArrayInputStream(stream), why -> {
            throw new AssertionError(why);
        });
        List<Picture> all = new ArrayList<>();
        for (byte[] file = splitter.next(); file != null; file = splitter.next()) {
            all.add(PictureFile.read(file, "picture"));
        }
        return all;
    }

    /** The same bytes as without a stream, whatever the sizes of the frames. */
    @Test
    void aFolderOnce() throws IOException {
        Path frames = Files.createDirectory(folder.resolve("frames"));
        Path out = folder.resolve("out");
        Cli.picture(frames.resolve("b.png"), 64, 48);
        Cli.picture(frames.resolve("a.jpg"), 128, 96);
        Cli.picture(frames.resolve("a.bmp"), 100, 48);
        Files.writeString(frames.resolve("notes.txt"), "no picture");
        Cli run = stream("--input", frames, "--once", "-o", out, "--format", "png");
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.out()).isEmpty();
        assertThat(Cli.names(out)).containsExactly("a.bmp.png", "a.jpg.png", "b.png");
        assertThat(run.err()).anyMatch(line -> line.contains("64x48, 2 steps of euler at strength 0.5, of which 1"
                        + " runs"))
                .anyMatch(line -> line.startsWith("ended: frames: 3 read, 0 dropped, 3 drawn: "));
        for (String name : List.of("b.png", "a.jpg")) {
            Path single = folder.resolve("single.png");
            Cli one = Cli.run("generate", "a red circle", "-W", 64, "-H", 48, "--no-t5", "--cfg-scale", 1, "--steps",
                    2, "--strength", 0.5, "-i", frames.resolve(name), "-o", single);
            assertThat(one.code()).as(one.err().toString()).isZero();
            assertThat(PictureFile.read(out.resolve(name.equals("b.png") ? name : name + ".png")).rgb())
                    .isEqualTo(PictureFile.read(single).rgb());
        }
    }

    @Test
    void aPipe() throws IOException {
        byte[] png = Files.readAllBytes(Cli.picture(folder.resolve("a.png"), 80, 60));
        byte[] jpeg = Files.readAllBytes(Cli.picture(folder.resolve("b.jpg"), 64, 48));
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        for (byte[] frame : new byte[][] {png, jpeg, "--between".getBytes(), jpeg, png, png}) {
            frames.writeBytes(frame);
        }
        frames.write(jpeg, 0, 200);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        InputStream before = System.in;
        Cli run;
        try {
            System.setIn(new ByteArrayInputStream(frames.toByteArray()));
            run = Cli.into(out, "stream", "-p", "a red circle", "-W", 64, "-H", 48, "--no-t5", "--cfg-scale", 1,
                    "--every-frame", "--skip-similar", 0);
            assertThat(run.code()).as(run.err().toString()).isZero();
        } finally {
            System.setIn(before);
        }
        List<Picture> pictures = pictures(out.toByteArray());
        assertThat(pictures).hasSize(5);
        assertThat(pictures.get(2).rgb()).isEqualTo(pictures.get(1).rgb()).isNotEqualTo(pictures.get(0).rgb());
        assertThat(pictures.get(3).rgb()).isEqualTo(pictures.get(0).rgb());
        assertThat(pictures.getFirst().width()).isEqualTo(64);
        assertThat(run.err()).contains("note: standard input: the stream ends within a picture; the frame is skipped")
                .anyMatch(line -> line.contains("5 read, 0 dropped, 1 broken, 2 like the one before, 5 drawn"));
    }

    @Test
    void aFileWithAnEnd() throws IOException {
        byte[] jpeg = Files.readAllBytes(Cli.picture(folder.resolve("b.jpg"), 64, 48));
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        Stream.generate(() -> jpeg).limit(5).forEach(frames::writeBytes);
        Path file = Files.write(folder.resolve("video.mjpeg"), frames.toByteArray());
        Path out = folder.resolve("new/out");
        assertThat(stream("--input", file, "-o", out, "--frames", 2, "--seed-per-frame").code()).isZero();
        assertThat(Cli.names(out)).containsExactly("000001.jpg", "000002.jpg");
        assertThat(out.resolve("000002.jpg")).isRegularFile();
        assertThat(PictureFile.read(out.resolve("000001.jpg")).rgb())
                .isNotEqualTo(PictureFile.read(out.resolve("000002.jpg")).rgb());
        Cli second = Cli.run("stream", "a", "-W", 64, "-H", 48, "--no-t5", "--cfg-scale", 2, "--input", file, "-o",
                out, "-o", "http:0", "--frames", 1);
        assertThat(second.code()).as(second.err().toString()).isZero();
        assertThat(Cli.names(out)).contains("000003.jpg").hasSize(3);
        assertThat(second.err()).anyMatch(line -> line.matches("watch at http://127.0.0.1:\\d+/"));
    }

    @Test
    void badInputIsOneLine() throws IOException {
        Path frames = Files.createDirectory(folder.resolve("frames"));
        Path picture = Cli.picture(frames.resolve("a.png"), 64, 48);
        Path empty = Files.createFile(folder.resolve("empty.mjpeg"));
        Path out = folder.resolve("out");
        refused("a width of 60 is not a multiple of 16", "--input", frames, "--once", "-o", out, "-W", 60);
        refused("no such file or folder", "--input", folder.resolve("none"), "-o", out);
        refused("no picture came", "--input", empty, "-o", out);
        refused("is the folder that frames are read from", "--input", frames, "-o", frames);
        refused("is no folder", "--input", frames, "-o", picture);
        refused("such as --input", "-i", picture, "-o", out);
        refused("--once is for a folder", "--input", picture, "--once", "-o", out);
        refused("--frames is 0", "--input", picture, "--frames", 0, "-o", out);
        refused("--quality is 101", "--input", picture, "--quality", 101, "-o", out);
        refused("leave it out with png", "--input", picture, "--quality", 1, "--format", "png", "-o", out);
        refused("--format gif is unknown", "--input", picture, "--format", "gif", "-o", out);
        refused("--skip-similar is -1.0", "--input", picture, "--skip-similar", -1, "-o", out);
        refused("the port is 70000", "--input", picture, "-o", "http:70000");
        refused("is no address to listen at", "--input", picture, "-o", "http://a b/");
        refused("given twice", "--input", picture, "-o", out, "-o", out);
        refused("a stream keeps its model", "--input", picture, "-o", out, "--offload", "stages");
        refused("give its folder or file with --taesd", "--input", picture, "-o", out, "--taesd-encoder");
        refused("names no device", "--input", "v4l2:", "-o", out);
        try (ServerSocket used = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            refused("is the port in use?", "--input", picture, "-o", "http:" + used.getLocalPort());
        }
    }

    /** A note and a whole run where a picture cannot be used; a note where a setting hardly helps. */
    @Test
    void brokenPicturesAreSkipped() throws IOException {
        Path frames = Files.createDirectory(folder.resolve("frames"));
        byte[] png = Files.readAllBytes(Cli.picture(frames.resolve("a.png"), 64, 48));
        Files.write(frames.resolve("b.png"), java.util.Arrays.copyOf(png, 100));
        Files.writeString(frames.resolve("c.jpg"), "no picture");
        try (RandomAccessFile large = new RandomAccessFile(frames.resolve("d.png").toFile(), "rw")) {
            large.setLength(3L << 30); // without contents, it takes no room
        }
        Path out = folder.resolve("out");
        Cli run = stream("--input", frames, "--once", "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(Cli.names(out)).containsExactly("a.jpg");
        assertThat(run.err()).anyMatch(line -> line.startsWith("note: " + frames.resolve("b.png")))
                .anyMatch(line -> line.startsWith("note: " + frames.resolve("c.jpg")))
                .anyMatch(line -> line.startsWith("note: " + frames.resolve("d.png") + ": cannot be read (3221225472"))
                .anyMatch(line -> line.contains("3 broken, 1 drawn"))
                .anyMatch(line -> line.contains("2 are few for it"));
    }

    private Process child(Path log, Path bin, Object... args) throws IOException {
        List<Object> all = new ArrayList<>(List.of("stream", "a", "--device", "cpu", "-W", 16, "-H", 16, "--no-t5",
                "--cfg-scale", 1));
        all.addAll(List.of(args));
        ProcessBuilder process = ChildJvm.process(ChildJvm.command(ChildJvm.SHORT, all.toArray()));
        process.environment().put("PATH", bin.toString());
        return process.redirectOutput(log.toFile()).start();
    }

    /** A program of that name that writes a file as ffmpeg would. */
    private Path ffmpeg(String script) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("bin"));
        Path program = Files.writeString(bin.resolve("ffmpeg"), "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        return bin;
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void aCamera() throws IOException, InterruptedException {
        Path jpeg = Cli.picture(folder.resolve("a.jpg"), 64, 48);
        Path log = folder.resolve("log");
        Path out = folder.resolve("out");
        Process none = child(log, folder.resolve("nothing"), "--input", "v4l2:/dev/video0", "-o", out);
        assertThat(none.waitFor()).isEqualTo(Main.BAD_INPUT);
        assertThat(Files.readString(log)).contains("ffmpeg, which reads the camera, cannot be started; install it");
        Process broken = child(log, ffmpeg("echo /dev/video9: no such device >&2; exit 3"), "--input",
                "v4l2:/dev/video9", "-o", out);
        assertThat(broken.waitFor()).isEqualTo(Main.BAD_INPUT);
        assertThat(Files.readString(log)).contains("ffmpeg ended with code 3 (/dev/video9: no such device)");
        // It goes on for ever, and is ended with the stream.
        Path pid = folder.resolve("pid");
        Process camera = child(log, ffmpeg("echo $$ > " + pid + "; while :; do /bin/cat " + jpeg + "; done"),
                "--input", "v4l2:/dev/video0", "-o", out, "--frames", 3);
        assertThat(camera.waitFor()).as(Files.readString(log)).isZero();
        assertThat(Cli.names(out)).containsExactly("000001.jpg", "000002.jpg", "000003.jpg");
        long id = Long.parseLong(Files.readString(pid).strip());
        assertThat(ProcessHandle.of(id).filter(ProcessHandle::isAlive)).isEmpty();
    }

    /** A folder that is watched, also for files that are written in two parts, until the program is told to end. */
    @Test
    void aWatchedFolderUntilInterrupted() throws IOException, InterruptedException {
        Path frames = Files.createDirectory(folder.resolve("frames"));
        Path out = Files.createDirectory(folder.resolve("out"));
        Path log = folder.resolve("log");
        byte[] png = Files.readAllBytes(Cli.picture(frames.resolve("a.png"), 64, 48));
        Process process = child(log, folder, "--input", frames, "-o", out);
        try {
            await(process, log, out, "a.jpg");
            if (!OS.WINDOWS.isCurrentOs()) { // whoever reads a pipe that nobody writes to waits for ever
                assertThat(new ProcessBuilder("mkfifo", frames.resolve("pipe.png").toString()).start().waitFor())
                        .isZero();
            }
            Path late = frames.resolve("b.png");
            Files.write(late, java.util.Arrays.copyOf(png, png.length / 2));
            Thread.sleep(200);
            Files.write(late, png);
            await(process, log, out, "b.jpg");
            assertThat(Files.readString(log)).doesNotContain("b.png");
            process.destroy();
            assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(Files.readString(log)).contains("interrupted: frames: 2 read");
        assertThat(Cli.names(out)).containsExactly("a.jpg", "b.jpg");
    }

    private static void await(Process process, Path log, Path out, String name)
            throws IOException, InterruptedException {
        Instant until = Instant.now().plus(PATIENCE);
        while (!Cli.names(out).contains(name)) {
            assertThat(process.isAlive() && Instant.now().isBefore(until)).as(Files.readString(log)).isTrue();
            Thread.sleep(10);
        }
    }
}
