package jdiffusion.server.jobs;

import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.model.checkpoint.NotFiniteException;
import jdiffusion.server.draw.DrawingThread;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.tensor.InputException;

/**
 * All jobs of a device: those that wait, the one that is drawn, by one thread alone, and for a while those that have
 * ended.
 */
public final class Jobs implements AutoCloseable {
    private static final int ID_BYTES = 16;
    private static final int MOST_ENDED = 1000;
    private static final long MOST_BYTES = 256L << 20;
    private static final Duration KEPT = Duration.ofMinutes(60);
    private static final Duration LOOK = Duration.ofMillis(200);
    private static final int LONGEST_WAIT_SECONDS = 600;

    private final DrawingThread drawing;
    private final History history;
    private final Duration idle;
    private final Metrics metrics;
    private final Consumer<String> log;
    private final JobQueue queue;
    private final SecureRandom random = new SecureRandom();
    /** By id, in the order in which they came. */
    private final Map<String, Job> all = new LinkedHashMap<>();
    private final Thread worker = Thread.ofPlatform().name("jdiffusion-draw").unstarted(this::work);
    private volatile Job running;
    private volatile boolean stopping;
    private volatile double secondsEach = 1;

    /**
     * @param history where pictures are kept; null for nowhere
     * @param most    jobs that may wait
     * @param idle    time after which a model that nobody asks for is let go of
     */
    public Jobs(DrawingThread drawing, History history, int most, Duration idle, Metrics metrics, Consumer<String> log) {
        this.drawing = drawing;
        this.history = history;
        this.idle = idle;
        this.metrics = metrics;
        this.log = log;
        this.queue = new JobQueue(most);
        metrics.gauge("jdiffusion_queue_length", "Jobs that wait.", queue::size);
        metrics.gauge("jdiffusion_running", "Jobs that are drawn.", () -> running == null ? 0 : 1);
        metrics.gauge("jdiffusion_models_loaded", "Models that are ready.", () -> drawing.loaded() == null ? 0 : 1);
        metrics.device(drawing.backend() instanceof CudaBackend ? "cuda" : "cpu", drawing.backend().work(),
                drawing.backend().memory());
        worker.start();
    }

    /** Where pictures are kept; null for nowhere. */
    public History history() {
        return history;
    }

    /** Jobs that wait. */
    public int waiting() {
        return queue.size();
    }

    /** The job that is drawn; null for none. */
    public Job running() {
        return running;
    }

    public boolean isStopping() {
        return stopping;
    }

    /**
     * Takes a prepared request in.
     *
     * @param needsListener whether the job is cancelled when its last listener goes away; it must be listened to
     * @param keep          whether its pictures come into the history
     * @param previewsAt    evaluations of each picture after which a preview is made in any case
     * @throws QueueFullException when there is no room
     */
    public Job submit(String client, PreparedRequest prepared, boolean needsListener, boolean keep,
                      Set<Integer> previewsAt) {
        byte[] id = new byte[ID_BYTES];
        random.nextBytes(id);
        Job job = new Job(HexFormat.of().formatHex(id), client, prepared, needsListener, keep, previewsAt,
                this::sweep);
        synchronized (all) {
            if (stopping) {
                throw new QueueFullException("the server is about to stop", true, 0);
            }
            prepared.notes().forEach(note -> job.add(new JobEvent.Note(note)));
            if (!queue.offer(job)) {
                int seconds = (int) Math.clamp(secondsEach, 1, LONGEST_WAIT_SECONDS);
                throw new QueueFullException("the queue is full with " + queue.size() + " jobs; try again in "
                        + seconds + " s", false, seconds);
            }
            all.put(job.id(), job);
            forgetOld();
        }
        return job;
    }

    private void forgetOld() {
        Instant limit = Instant.now().minus(KEPT);
        long bytes = 0;
        int ended = 0;
        List<Job> newestFirst = new ArrayList<>(all.values()).reversed();
        for (Job job : newestFirst) {
            if (job.state().isEnd()) {
                bytes += job.bytes();
                ended++;
                if (ended > 1 && (ended > MOST_ENDED || bytes > MOST_BYTES) || job.ended().isBefore(limit)) {
                    all.remove(job.id());
                }
            }
        }
    }

    /** A job by its id; null when there is none any more. */
    public Job find(String id) {
        synchronized (all) {
            return all.get(id);
        }
    }

    /** All that are known, the newest first. */
    public List<Job> all() {
        synchronized (all) {
            return new ArrayList<>(all.values()).reversed();
        }
    }

    /** Ends a job: at once while it waits, else after the next step. */
    public void cancel(Job job) {
        job.cancel();
        sweep(job);
    }

    /** A job whose client is gone need not wait for its turn. */
    private void sweep(Job job) {
        if (queue.remove(job)) {
            end(job, JobState.CANCELLED, "cancelled");
        }
    }

    private void end(Job job, JobState state, String error) {
        job.add(new JobEvent.Ended(state, error));
        metrics.ended(state.label());
        if (state == JobState.CANCELLED) {
            metrics.cancelled();
        }
    }

    private void work() {
        long lastUse = System.nanoTime();
        try {
            while (true) {
                Job job = queue.poll(LOOK);
                if (job != null) {
                    draw(job);
                    lastUse = System.nanoTime();
                } else if (stopping) {
                    break;
                } else if (drawing.loaded() != null && System.nanoTime() - lastUse > idle.toNanos()) {
                    log.accept("let go of the model " + drawing.loaded().id() + ", which nobody asked for in "
                            + idle.toSeconds() + " s");
                    drawing.close();
                }
            }
        } catch (InterruptedException e) {
            log.accept("the drawing thread was interrupted and ends");
        } finally {
            drawing.close();
        }
    }

    private void draw(Job job) {
        running = job;
        long start = System.nanoTime();
        try {
            if (!job.start()) {
                end(job, JobState.CANCELLED, "cancelled");
                return;
            }
            metrics.waited(Duration.between(job.created(), Instant.now()).toNanos());
            drawing.draw(job.prepared(), new JobFollower(job, job.isKept() ? history : null, log));
            end(job, JobState.COMPLETED, null);
            double seconds = (System.nanoTime() - start) / 1e9;
            secondsEach = 0.7 * secondsEach + 0.3 * seconds;
        } catch (CancellationException e) {
            end(job, JobState.CANCELLED, stopping ? "the server is stopping" : "cancelled");
        } catch (NotFiniteException e) {
            metrics.notFinite();
            end(job, JobState.FAILED, e.getMessage());
        } catch (InputException | DeviceException e) {
            end(job, JobState.FAILED, e.getMessage());
        } catch (OutOfMemoryError e) {
            end(job, JobState.FAILED, "out of memory (" + e.getMessage() + "); ask for a smaller picture");
        } catch (RuntimeException | Error e) {
            StackTraceElement[] at = e.getStackTrace();
            log.accept("unexpected " + e + (at.length == 0 ? "" : " at " + at[0]));
            end(job, JobState.FAILED, "the server failed; its log says more");
        } finally {
            running = null;
        }
    }

    /**
     * Takes no more jobs, cancels those that wait, and lets the one that is drawn come to its end.
     *
     * @param most time after which that one is cancelled, too
     */
    public void stop(Duration most) throws InterruptedException {
        synchronized (all) {
            stopping = true;
        }
        for (Job job : queue.inOrder()) {
            if (queue.remove(job)) {
                end(job, JobState.CANCELLED, "the server is stopping");
            }
        }
        if (!worker.join(most)) {
            Job last = running;
            if (last != null) {
                last.cancel();
            }
            worker.join();
        }
    }

    @Override
    public void close() {
        try {
            stop(Duration.ZERO);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
