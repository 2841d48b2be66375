package jdiffusion.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.model.image.PictureSplitter;

/**
 * The pictures in a folder: those that are there, by name, then those that come or change. One that is being written
 * is waited for.
 */
final class FolderFrames implements FrameSource {
    static final List<String> ENDINGS = List.of("png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff");
    private static final Pattern PICTURE = Pattern.compile(".*\\.(" + String.join("|", ENDINGS) + ")");
    private static final Pattern CHECKED = Pattern.compile(".*\\.(png|jpe?g)");
    private static final long POLL_MILLIS = 20;
    /** After so long without a change a file that is not whole is taken for broken. */
    private static final long PATIENCE_NANOS = 2_000_000_000;

    private static final int MOST_TAKEN = 4096;

    private final Path folder;
    private final boolean once;
    /** Files that are not whole yet, and since when they are as they are. */
    private final Map<Path, Seen> unfinished = new LinkedHashMap<>();
    /** What was handed over last of each name, so that one that is written in several parts comes once. */
    private final Map<Path, FileTime> taken = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Path, FileTime> eldest) {
            return size() > MOST_TAKEN;
        }
    };
    private FileTime latest = FileTime.fromMillis(0);

    private record Seen(FileTime time, long size, long since) {
    }

    /** @param once whether to end with the files that are there */
    FolderFrames(Path folder, boolean once) {
        this.folder = folder;
        this.once = once;
    }

    @Override
    public String name() {
        return folder.toString();
    }

    @Override
    public void run(FrameQueue queue) throws IOException, InterruptedException {
        try (WatchService watch = once ? null : folder.getFileSystem().newWatchService()) {
            WatchKey key = once ? null : folder.register(watch, StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_MODIFY);
            List<Path> there = pictures();
            if (!queue.every() && !there.isEmpty()) {
                queue.drop(there.size() - 1L);
                there = List.of(there.stream().max(Comparator.comparing(FolderFrames::time)).orElseThrow());
            }
            for (Path file : there) {
                take(file, queue);
            }
            while (!once || !unfinished.isEmpty()) {
                WatchKey ready = once ? null : unfinished.isEmpty() ? watch.take()
                        : watch.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
                if (once) {
                    Thread.sleep(POLL_MILLIS);
                }
                if (ready != null) {
                    for (WatchEvent<?> event : ready.pollEvents()) {
                        changed(event, queue);
                    }
                    ready.reset();
                }
                for (Path file : List.copyOf(unfinished.keySet())) {
                    take(file, queue);
                }
                if (key != null && !key.isValid()) {
                    throw new NoSuchFileException(folder.toString(), null, "the folder is gone");
                }
            }
        }
    }

    private void changed(WatchEvent<?> event, FrameQueue queue) throws IOException, InterruptedException {
        if (event.context() instanceof Path name) {
            Path file = folder.resolve(name);
            if (isPicture(file) && !unfinished.containsKey(file)) {
                take(file, queue);
            }
        } else { // More happened than the system keeps.
            FileTime since = latest;
            for (Path file : pictures()) {
                if (time(file).compareTo(since) >= 0) {
                    take(file, queue);
                }
            }
        }
    }

    private List<Path> pictures() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return new ArrayList<>(files.filter(FolderFrames::isPicture).filter(Files::isRegularFile).sorted()
                    .toList());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Hidden files are those that other programs are writing. */
    private static boolean isPicture(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return PICTURE.matcher(name).matches() && !name.startsWith(".");
    }

    private static FileTime time(Path file) {
        try {
            return Files.getLastModifiedTime(file);
        } catch (IOException _) {
            return FileTime.fromMillis(0); // it is gone again
        }
    }

    /** Hands a file over when it is whole. */
    private void take(Path file, FrameQueue queue) throws IOException, InterruptedException {
        FileTime time;
        long size;
        byte[] whole = null;
        boolean checked = CHECKED.matcher(file.getFileName().toString().toLowerCase(Locale.ROOT)).matches();
        try {
            if (!Files.isRegularFile(file)) {
                unfinished.remove(file); // a pipe would keep whoever reads it; a file may be gone again
                return;
            }
            time = Files.getLastModifiedTime(file);
            size = Files.size(file);
            if (size > PictureSplitter.LONGEST) {
                throw new IOException(size + " bytes are more than a picture's " + PictureSplitter.LONGEST);
            }
            if (checked) {
                whole = new PictureSplitter(new ByteArrayInputStream(Files.readAllBytes(file)), _ -> { }).next();
            }
            FileTime now = Files.getLastModifiedTime(file);
            if (!now.equals(time) || Files.size(file) != size) {
                // Written meanwhile: taken now, it would come again under its new time.
                unfinished.put(file, new Seen(now, Files.size(file), System.nanoTime()));
                return;
            }
        } catch (IOException e) {
            unfinished.remove(file);
            if (Files.exists(file)) {
                queue.broken(file + ": cannot be read (" + e.getMessage() + ")");
            }
            return;
        }
        if (time.equals(taken.get(file))) {
            unfinished.remove(file);
            return;
        }
        Seen before = unfinished.get(file);
        boolean still = before != null && before.time.equals(time) && before.size == size;
        boolean late = still && System.nanoTime() - before.since > PATIENCE_NANOS;
        // What is not whole after a while is for the reader to refuse; other formats need only have stopped growing.
        if (whole == null && !(checked ? late : still)) {
            if (!still) {
                unfinished.put(file, new Seen(time, size, System.nanoTime()));
            }
            return;
        }
        unfinished.remove(file);
        taken.put(file, time);
        latest = time.compareTo(latest) > 0 ? time : latest;
        queue.put(file, whole);
    }
}
