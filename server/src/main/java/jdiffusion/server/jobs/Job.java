package jdiffusion.server.jobs;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import jdiffusion.server.draw.PreparedRequest;

/** A client's request on its way, with a record of what happened to it that any number of listeners may read. */
public final class Job {
    /** Previews that are kept for listeners who lag behind. */
    private static final int PREVIEWS_KEPT = 4;

    private final String id;
    private final String client;
    private final PreparedRequest prepared;
    private final boolean needsListener;
    private final boolean keep;
    private final Set<Integer> previewsAt;
    private final Consumer<Job> abandoned;
    private final Instant created = Instant.now();
    private final List<Entry> log = new ArrayList<>();
    private final List<JobPicture> pictures = new ArrayList<>();
    private long nextEntry = 1;
    private JobState state = JobState.QUEUED;
    private JobEvent.Ended end;
    private Instant ended;
    private int place;
    private JobEvent.Step step;
    private JobEvent.Preview preview;
    private int listeners;
    private volatile boolean cancelled;
    private volatile boolean wantsUnfinished;
    private volatile boolean skipping;
    private volatile long previewsUntil = System.nanoTime();

    /** An event with its number, counting up from 1. */
    public record Entry(long id, JobEvent event) {
    }

    /**
     * @param id            hard to guess
     * @param needsListener whether it is cancelled when nobody listens any more
     * @param keep          whether its pictures come into the history
     * @param previewsAt    evaluations of each picture after which a preview is made in any case
     * @param abandoned     told when it was cancelled since nobody listens any more
     */
    Job(String id, String client, PreparedRequest prepared, boolean needsListener, boolean keep, Set<Integer> previewsAt,
            Consumer<Job> abandoned) {
        this.id = id;
        this.client = client;
        this.prepared = prepared;
        this.needsListener = needsListener;
        this.keep = keep;
        this.previewsAt = Set.copyOf(previewsAt);
        this.abandoned = abandoned;
    }

    public String id() {
        return id;
    }

    public String client() {
        return client;
    }

    /** Whether its pictures come into the history. */
    boolean isKept() {
        return keep;
    }

    public PreparedRequest prepared() {
        return prepared;
    }

    public Instant created() {
        return created;
    }

    public synchronized JobState state() {
        return state;
    }

    /** When it ended; null before. */
    public synchronized Instant ended() {
        return ended;
    }

    /** How it ended; null before. */
    public synchronized JobEvent.Ended end() {
        return end;
    }

    /** Place in the queue, 1 for the next; 0 when it does not wait. */
    public synchronized int place() {
        return state == JobState.QUEUED ? place : 0;
    }

    /** The last evaluation that was done; null before the first. */
    public synchronized JobEvent.Step step() {
        return step;
    }

    /** The last preview; null when there is none. */
    public synchronized JobEvent.Preview preview() {
        return preview;
    }

    /** The pictures so far. */
    public synchronized List<JobPicture> pictures() {
        return List.copyOf(pictures);
    }

    /** Bytes of the pictures that it holds. */
    synchronized long bytes() {
        return pictures.stream().mapToLong(picture -> picture.png().length + picture.picture().rgb().length).sum();
    }

    /** Ends it at the next step, or at once while it waits. */
    public void cancel() {
        cancelled = true;
    }

    /** The same, but the picture is decoded as far as it is. */
    public void interrupt() {
        wantsUnfinished = true;
        cancelled = true;
    }

    /** Ends the picture that is drawn as far as it is, and goes on with the next. */
    public void skip() {
        skipping = true;
    }

    boolean isSkipping() {
        return skipping;
    }

    void endSkip() {
        skipping = false;
    }

    /** Whether it is to end. */
    public boolean isCancelled() {
        return cancelled;
    }

    boolean wantsUnfinished() {
        return wantsUnfinished;
    }

    boolean wantsPreview(int done) {
        return previewsAt.contains(done);
    }

    /** Has previews made for a while. */
    public void wantPreviews(Duration time) {
        previewsUntil = System.nanoTime() + time.toNanos();
    }

    boolean wantsPreviews() {
        return System.nanoTime() - previewsUntil < 0;
    }

    /** Somebody listens until the listening is closed. */
    public synchronized Listening listen() {
        listeners++;
        return new Listening();
    }

    /** A listener's ear. */
    public final class Listening implements AutoCloseable {
        private boolean closed;

        private Listening() {
        }

        /**
         * Events after one, waiting for one to come.
         *
         * @param after the last event that is known; 0 for none
         * @return empty when none came in time
         */
        public List<Entry> next(long after, Duration most) throws InterruptedException {
            return waitFor(after, most);
        }

        /** Whether nothing will come any more. */
        public boolean isOver() {
            return state().isEnd();
        }

        @Override
        public void close() {
            if (leave()) {
                abandoned.accept(Job.this);
            }
        }

        private boolean leave() {
            synchronized (Job.this) {
                listeners -= closed ? 0 : 1;
                boolean last = !closed && listeners == 0 && needsListener && !state.isEnd();
                closed = true;
                cancelled |= last;
                return last;
            }
        }
    }

    private synchronized List<Entry> waitFor(long after, Duration most) throws InterruptedException {
        long deadline = System.nanoTime() + most.toNanos();
        while (nextEntry <= after + 1 && !state.isEnd()) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return List.of();
            }
            wait(left);
        }
        return log.stream().filter(entry -> entry.id() > after).toList();
    }

    synchronized void add(JobEvent event) {
        if (state.isEnd()) {
            return;
        }
        switch (event) {
            case JobEvent.Queued queued -> {
                place = queued.place();
                log.removeIf(entry -> entry.event() instanceof JobEvent.Queued);
            }
            case JobEvent.Step done -> step = done;
            case JobEvent.Preview made -> {
                preview = made;
                forgetPreviews(PREVIEWS_KEPT - 1);
            }
            case JobEvent.Drawn drawn -> pictures.add(drawn.picture());
            case JobEvent.Ended ended -> {
                state = ended.state();
                end = ended;
                this.ended = Instant.now();
                preview = null;
            }
            case JobEvent.Stage _, JobEvent.Note _ -> { }
        }
        log.add(new Entry(nextEntry++, event));
        notifyAll();
    }

    private void forgetPreviews(int kept) {
        long there = log.stream().filter(entry -> entry.event() instanceof JobEvent.Preview).count();
        for (int i = 0; i < log.size() && there > kept; i++) {
            if (log.get(i).event() instanceof JobEvent.Preview) {
                log.remove(i--);
                there--;
            }
        }
    }

    /** Says that it is being drawn; false when it was cancelled before. */
    synchronized boolean start() {
        if (cancelled || state != JobState.QUEUED) {
            return false;
        }
        state = JobState.GENERATING;
        return true;
    }
}
