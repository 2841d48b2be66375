package jdiffusion.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.tensor.InputException;

/** Where the pictures of a stream go. */
interface PictureSink extends AutoCloseable {
    String STANDARD_OUTPUT = "-";
    Pattern WEB = Pattern.compile("http(?::(\\d{1,5}))?");

    /**
     * Takes a picture.
     *
     * @param frame   what it was drawn from
     * @param encoded its file
     * @return whether more are wanted
     */
    boolean write(Frame frame, byte[] encoded);

    @Override
    void close();

    /**
     * @param output {@code -}, {@code http}, {@code http:PORT}, {@code http://HOST:PORT} or a folder
     * @param input  where frames are read
     * @param out    the standard output
     * @param notes  told where the pictures can be seen
     */
    static PictureSink of(String output, String input, PictureFormat format, PrintStream out,
                          Consumer<String> notes) {
        if (output.equals(STANDARD_OUTPUT)) {
            return new StandardOutput(out);
        }
        Matcher web = WEB.matcher(output);
        if (web.matches()) {
            int port = web.group(1) == null ? MjpegServer.USUAL_PORT : Integer.parseInt(web.group(1));
            return MjpegServer.start("127.0.0.1", port, format.mime(), notes);
        }
        if (output.toLowerCase(Locale.ROOT).startsWith("http:")) {
            URI uri = address(output);
            return MjpegServer.start(uri.getHost(), uri.getPort() < 0 ? MjpegServer.USUAL_PORT : uri.getPort(),
                    format.mime(), notes);
        }
        return Folder.of(Path.of(output), input, format);
    }

    private static URI address(String output) {
        try {
            URI uri = new URI(output);
            if (uri.getHost() != null && uri.getRawPath().matches("/?") && uri.getRawQuery() == null) {
                return uri;
            }
        } catch (URISyntaxException _) {
            // Said below.
        }
        throw new InputException("--output " + InputException.shown(output)
                + " is no address to listen at; write http:PORT or http://HOST:PORT");
    }

    /** Files one after the other; whole ones, also when the program is interrupted. */
    final class StandardOutput implements PictureSink {
        private static final int PATIENCE_SECONDS = 2;

        private final PrintStream out;
        private final ReentrantLock lock = new ReentrantLock();
        private final ExitHook onExit = new ExitHook("output", this::end);
        private boolean closed;

        StandardOutput(PrintStream out) {
            this.out = out;
        }

        @Override
        public boolean write(Frame frame, byte[] encoded) {
            lock.lock();
            try {
                if (closed) {
                    return false;
                }
                out.write(encoded, 0, encoded.length);
                // Why it failed is kept by the stream; a reader that has closed its end is no failure.
                return !out.checkError();
            } finally {
                lock.unlock();
            }
        }

        /** Waits for the picture that is being written, unless nobody reads it. */
        private void end() {
            try {
                if (lock.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                    closed = true;
                    lock.unlock();
                }
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void close() {
            end();
            onExit.close();
        }
    }

    /** Files in a folder: of the same name as their frame's file, or numbered after those that are there. */
    final class Folder implements PictureSink {
        private static final Pattern NUMBERED = Pattern.compile("(\\d{1,9})\\.(jpg|png)");

        private final Path folder;
        private final String ending;
        private final OutputFiles files;
        private int number;

        private Folder(Path folder, String ending, int number) {
            this.folder = folder;
            this.ending = ending;
            this.number = number;
            this.files = OutputFiles.in(folder);
        }

        static Folder of(Path folder, String input, PictureFormat format) {
            try {
                if (Files.exists(folder) && !Files.isDirectory(folder)) {
                    throw new InputException("--output " + folder + ": is no folder; name one, or - for the standard"
                            + " output, or http:PORT");
                }
                Files.createDirectories(folder);
                if (!input.equals(FrameSource.PIPE) && !input.startsWith(FrameSource.CAMERA)
                        && Files.isDirectory(Path.of(input)) && Files.isSameFile(folder, Path.of(input))) {
                    throw new InputException("--output " + folder + ": is the folder that frames are read from, and"
                            + " its pictures would be drawn again and again; name another one");
                }
                return new Folder(folder, format.ending(), last(folder));
            } catch (IOException e) {
                throw new InputException("--output " + folder + ": cannot be made or read (" + e.getMessage() + ")",
                        e);
            }
        }

        private static int last(Path folder) throws IOException {
            try (Stream<Path> entries = Files.list(folder)) {
                return entries.map(entry -> NUMBERED.matcher(entry.getFileName().toString()))
                        .filter(Matcher::matches).mapToInt(name -> Integer.parseInt(name.group(1))).max().orElse(0);
            }
        }

        @Override
        public boolean write(Frame frame, byte[] encoded) {
            String name;
            if (frame.file() == null) {
                number++;
                name = String.format(Locale.ROOT, "%06d", number);
            } else {
                name = name(frame.file());
            }
            files.write(folder.resolve(name + ending), encoded);
            return true;
        }

        /** Without its ending, unless other frames' files are told apart by that alone. */
        private static String name(Path file) {
            String whole = file.getFileName().toString();
            String name = whole.replaceFirst("\\.[^.]*$", "");
            return FolderFrames.ENDINGS.stream().map(end -> name + "." + end).anyMatch(other ->
                    !other.equals(whole) && Files.exists(file.resolveSibling(other))) ? whole : name;
        }

        @Override
        public void close() {
            files.close();
        }
    }
}
