package jdiffusion.cli;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.model.pipeline.PictureStream;
import jdiffusion.tensor.InputException;

/**
 * Frame in, picture out, until the input ends or enough is drawn. One thread reads, one decodes the next frame just
 * before the one that is drawn will be done, this one draws, and one writes the picture before.
 */
final class StreamLoop {
    private static final ThreadFactory DAEMONS = Thread.ofPlatform().daemon().name("jdiffusion-pictures").factory();

    private final PictureStream stream;
    private final PictureSink sink;
    private final PictureFormat format;
    private final FrameQueue queue;
    private final SimilarFrames similar;
    private final boolean seedPerFrame;
    private final long most;
    private final StreamClock clock = new StreamClock();
    private final ExecutorService preparer = Executors.newSingleThreadExecutor(DAEMONS);
    private final ExecutorService writer = Executors.newSingleThreadExecutor(DAEMONS);
    /** Whether more pictures are wanted after the one that is being written. */
    private Future<Boolean> writing;
    /** How long the last frame took to decode. */
    private volatile long preparing;

    /**
     * A frame that is ready.
     *
     * @param picture of the stream's size; null when the one that was drawn last serves for it
     */
    private record Prepared(Frame frame, Picture picture) {
    }

    /**
     * @param similar tolerance of frames that are like the one before; null to draw all
     * @param most    pictures to draw; null for no end
     */
    StreamLoop(PictureStream stream, PictureSink sink, PictureFormat format, FrameQueue queue, Double similar,
               boolean seedPerFrame, Long most) {
        this.stream = stream;
        this.sink = sink;
        this.format = format;
        this.queue = queue;
        this.similar = similar == null ? null : new SimilarFrames(similar);
        this.seedPerFrame = seedPerFrame;
        this.most = most == null ? Long.MAX_VALUE : most;
    }

    /**
     * Runs all of it.
     *
     * @param report seconds between lines on how fast it goes; 0 for none
     * @param lines  told of it, and in the end of the whole
     */
    void run(FrameSource source, double report, Consumer<String> lines) {
        Thread.ofPlatform().daemon().name("jdiffusion-frames").start(() -> read(source));
        try (var _ = new ExitHook("stream", () -> lines.accept("interrupted: " + summary()))) {
            draw(report, lines);
        } catch (InterruptedException e) {
            throw new CancellationException("interrupted");
        } finally {
            preparer.shutdownNow();
            writer.shutdownNow();
        }
        if (queue.isEmpty()) {
            throw new InputException("--input " + source.name() + ": no picture came; PNG and JPEG are read"
                    + " (ffmpeg -i VIDEO -f image2pipe -c:v mjpeg - writes them)");
        }
        lines.accept("ended: " + summary());
    }

    private String summary() {
        return clock.summary("frames: " + queue.describe());
    }

    private void read(FrameSource source) {
        try {
            source.run(queue);
            queue.end();
        } catch (IOException e) {
            queue.fail(new InputException("--input " + source.name() + ": cannot be read (" + e.getMessage() + ")", e));
        } catch (RuntimeException e) {
            queue.fail(e);
        } catch (InterruptedException _) {
            queue.end();
        }
    }

    private void draw(double report, Consumer<String> lines) throws InterruptedException {
        GenerationRequest request = stream.request();
        Picture last = null;
        long drawing = 0;
        Future<Prepared> next = prepare(0);
        for (long drawn = 1; drawn <= most; drawn++) {
            Prepared now = get(next);
            if (now == null) {
                break;
            }
            if (drawn < most) {
                next = prepare(drawing);
            }
            if (now.picture != null) {
                long start = System.nanoTime();
                last = stream.draw(now.picture, seedPerFrame ? request.seed() + now.frame.number() - 1
                        : request.seed());
                drawing = System.nanoTime() - start;
            }
            if (!written()) {
                return;
            }
            write(now.frame, last);
            String line = clock.report(System.nanoTime(), report);
            if (line != null) {
                lines.accept(line + "; frames: " + queue.describe());
            }
        }
        written();
    }

    /** @param drawing how long the drawing that begins now will take */
    private Future<Prepared> prepare(long drawing) {
        return preparer.submit(() -> {
            if (!queue.every()) {
                // Not earlier, since a newer frame may come.
                TimeUnit.NANOSECONDS.sleep(drawing - preparing);
            }
            return prepared();
        });
    }

    /** The next frame that is to be drawn; null at the end. */
    private Prepared prepared() throws InterruptedException {
        GenerationRequest request = stream.request();
        for (Frame frame = queue.take(); frame != null; frame = queue.take()) {
            long start = System.nanoTime();
            clock.started(start);
            Picture picture;
            try {
                picture = frame.picture().fitted(request.width(), request.height());
            } catch (InputException e) {
                queue.broken(e.getMessage());
                continue;
            }
            preparing = System.nanoTime() - start;
            if (similar == null || !similar.skips(picture)) {
                return new Prepared(frame, picture);
            }
            clock.similar();
            if (queue.every()) {
                return new Prepared(frame, null);
            }
        }
        return null;
    }

    private void write(Frame frame, Picture picture) {
        writing = writer.submit(() -> {
            boolean more = sink.write(frame, format.encode(picture, Map.of()));
            clock.wrote(frame.arrived(), System.nanoTime());
            return more;
        });
    }

    /** Waits for the picture that is being written; whether more are wanted. */
    private boolean written() throws InterruptedException {
        return writing == null || get(writing);
    }

    private static <T> T get(Future<T> done) throws InterruptedException {
        try {
            return done.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        }
    }
}
