package jdiffusion.server.calls;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.FieldException;
import jdiffusion.model.request.PictureFields;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobEvent;
import jdiffusion.server.jobs.JobState;
import jdiffusion.server.jobs.Jobs;
import jdiffusion.server.jobs.QueueFullException;

/** What all interfaces do with a request: check it, put it into the queue, wait for it. */
public final class Calls {
    private static final Duration LOOK = Duration.ofMillis(250);
    /** Requests whose pictures are worked on at a time: each may need some hundred megabytes, and a blur seconds. */
    private static final int PICTURES_AT_ONCE = 2;
    private static final int RETRY_SECONDS = 5;

    private final RequestPreparer preparer;
    private final Jobs jobs;
    private final Semaphore pictures = new Semaphore(PICTURES_AT_ONCE);

    public Calls(RequestPreparer preparer, Jobs jobs) {
        this.preparer = preparer;
        this.jobs = jobs;
    }

    public RequestPreparer preparer() {
        return preparer;
    }

    public Jobs jobs() {
        return jobs;
    }

    /** Does something with clients' pictures when it is this one's turn. */
    public Picture decode(Supplier<Picture> reading) {
        return inTurn(reading);
    }

    private <T> T inTurn(Supplier<T> work) {
        pictures.acquireUninterruptibly();
        try {
            return work.get();
        } finally {
            pictures.release();
        }
    }

    /** The request that fields ask for; fails with what is wrong about it. */
    public PreparedRequest prepared(PictureFields asked) {
        Supplier<PreparedRequest> preparing = () -> told(() -> preparer.of(asked));
        return asked.init == null && asked.controlPicture == null ? preparing.get() : inTurn(preparing);
    }

    /** The model of a name. */
    public ServedModel model(String name) {
        return told(() -> preparer.servedModels().find(name));
    }

    private static <T> T told(Supplier<T> work) {
        try {
            return work.get();
        } catch (FieldException e) {
            if (e.code().equals("model_not_found")) {
                throw new HttpError(HttpError.NOT_FOUND, e.code(), e.getMessage());
            }
            throw HttpError.badField(e.field(), e.code(), e.getMessage());
        }
    }

    /** @see Jobs#submit */
    public Job submit(Exchange exchange, PreparedRequest prepared, boolean needsListener, Set<Integer> previewsAt) {
        return submit(exchange, prepared, needsListener, true, previewsAt);
    }

    /** The same, maybe of a job whose pictures do not come into the history. */
    public Job submit(Exchange exchange, PreparedRequest prepared, boolean needsListener, boolean keep,
                      Set<Integer> previewsAt) {
        exchange.dropBody();
        try {
            return jobs.submit(exchange.client(), prepared, needsListener, keep, previewsAt);
        } catch (QueueFullException e) {
            throw e.isStopping() ? stopping()
                    : HttpError.later(HttpError.TOO_MANY, "queue_full", e.getMessage(), e.seconds());
        }
    }

    private static HttpError stopping() {
        return HttpError.later(HttpError.UNAVAILABLE, "stopping", "the server is stopping", RETRY_SECONDS);
    }

    /** Gets a job's events as they come. */
    @FunctionalInterface
    public interface Listener {
        void event(Job.Entry entry) throws IOException;
    }

    /** Does something now and then while nothing comes. */
    @FunctionalInterface
    public interface Idle {
        void look() throws IOException;
    }

    /**
     * Follows a job to its end.
     *
     * @param after the last event that the client knows; 0 for none
     * @param idle  fails when the client is gone
     */
    public void follow(Job.Listening listening, long after, Listener listener, Idle idle) throws IOException {
        long last = after;
        try {
            while (true) {
                List<Job.Entry> entries = listening.next(last, LOOK);
                for (Job.Entry entry : entries) {
                    listener.event(entry);
                    last = entry.id();
                    if (entry.event() instanceof JobEvent.Ended) {
                        return;
                    }
                }
                if (entries.isEmpty() && listening.isOver()) {
                    return;
                }
                idle.look();
            }
        } catch (InterruptedException e) {
            throw new IOException("the server is stopping", e);
        }
    }

    /**
     * Puts a prepared request into the queue and waits until it is drawn. When the client goes away the job is cancelled.
     *
     * @return the job, completed or, where it was interrupted, with the pictures so far
     */
    public Job draw(Exchange exchange, PreparedRequest prepared) throws IOException {
        Job job = submit(exchange, prepared, true, Set.of());
        try (Job.Listening listening = job.listen()) {
            follow(listening, 0, _ -> { }, () -> {
                if (exchange.isGone()) {
                    throw new IOException("the client is gone");
                }
            });
        }
        checkDrawn(job);
        return job;
    }

    /** Fails where a job has ended with nothing to show. */
    public void checkDrawn(Job job) {
        JobEvent.Ended end = job.end();
        if (end.state() == JobState.FAILED) {
            throw new HttpError(HttpError.UNAVAILABLE, "failed", end.error());
        }
        if (end.state() == JobState.CANCELLED && job.pictures().isEmpty()) {
            throw jobs.isStopping() ? stopping()
                    : new HttpError(HttpError.CONFLICT, "cancelled", "the job was cancelled");
        }
    }
}
