package jdiffusion.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import jdiffusion.model.image.PictureSplitter;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** Where the frames of a stream come from. */
interface FrameSource extends AutoCloseable {
    String CAMERA = "v4l2:";
    String PIPE = "-";

    /** Reads until the end; runs on a thread of its own. */
    void run(FrameQueue queue) throws IOException, InterruptedException;

    /** What it is called in messages. */
    String name();

    @Override
    default void close() {
    }

    /** Whether a user names frames that are all there already, so that none has to be dropped. */
    static boolean isWhole(String input, boolean once) {
        return !input.equals(PIPE) && !input.startsWith(CAMERA) && (once || Files.isRegularFile(path(input)));
    }

    /**
     * @param input a folder, a file, {@code v4l2:} and a device, or {@code -} for the standard input
     * @param once  whether a folder ends with the files that are in it
     */
    static FrameSource of(String input, boolean once) {
        if (once && (input.equals(PIPE) || input.startsWith(CAMERA) || !Files.isDirectory(path(input)))) {
            throw new InputException("--once is for a folder, and --input is " + InputException.shown(input)
                    + "; leave --once out");
        }
        if (input.equals(PIPE)) {
            return new Piped("standard input", System.in);
        }
        if (input.startsWith(CAMERA)) {
            return CameraFrames.start(input.substring(CAMERA.length()));
        }
        Path path = path(input);
        if (Files.isDirectory(path)) {
            return new FolderFrames(path, once);
        }
        try {
            return new Piped(input, InputFile.isThere(path) ? Files.newInputStream(path) : missing(input));
        } catch (IOException e) {
            throw InputFile.unreadable(path, e);
        }
    }

    private static Path path(String input) {
        try {
            return Path.of(input);
        } catch (InvalidPathException e) {
            throw new InputException("--input '" + InputException.shown(input) + "' is no file name", e);
        }
    }

    private static InputStream missing(String input) {
        throw new InputException("--input " + input + ": there is no such file or folder; give one, " + CAMERA
                + "/dev/video0 for a camera, or - for the standard input");
    }

    /** Files one after the other in a stream. */
    record Piped(String name, InputStream in) implements FrameSource {
        @Override
        public void run(FrameQueue queue) throws IOException, InterruptedException {
            PictureSplitter splitter = new PictureSplitter(in, why -> queue.broken(name + ": " + why));
            for (byte[] bytes = splitter.next(); bytes != null; bytes = splitter.next()) {
                queue.put(bytes);
            }
        }

        @Override
        public void close() {
            if (in == System.in) {
                return; // closing it would wait for the thread that reads it
            }
            try {
                in.close();
            } catch (IOException _) {
                // It was only read.
            }
        }
    }
}
