package jdiffusion.cli;

import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * From the thread that reads frames to the one that draws them. There is place for one: a newer frame takes the place
 * of one that nobody has come for, or, where every frame counts, waits until it is taken.
 */
final class FrameQueue {
    private static final int MOST_NOTES = 5;

    private final boolean every;
    private final Consumer<String> notes;
    private Frame waiting;
    private boolean ended;
    private RuntimeException failure;
    private long read;
    private long dropped;
    private long broken;

    /** @param notes told of broken frames, the first few of them */
    FrameQueue(boolean every, Consumer<String> notes) {
        this.every = every;
        this.notes = notes;
    }

    boolean every() {
        return every;
    }

    /** A frame out of a pipe. */
    void put(byte[] bytes) throws InterruptedException {
        put(null, bytes);
    }

    /**
     * A frame that lies in a file.
     *
     * @param bytes see {@link Frame#bytes}
     */
    synchronized void put(Path file, byte[] bytes) throws InterruptedException {
        read++;
        Frame frame = new Frame(read, file, bytes, System.nanoTime());
        while (every && waiting != null && !ended) {
            wait();
        }
        if (waiting != null) {
            dropped++;
        }
        waiting = frame;
        notifyAll();
    }

    /** Frames that are there and that nobody will ask for. */
    synchronized void drop(long frames) {
        read += frames;
        dropped += frames;
    }

    /** A frame cannot be used. */
    synchronized void broken(String why) {
        broken++;
        if (broken <= MOST_NOTES) {
            notes.accept(why + "; the frame is skipped" + (broken == MOST_NOTES ? ", and so are others without a note"
                    : ""));
        }
    }

    /** No frame comes any more. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** The same, since something failed. */
    synchronized void fail(RuntimeException e) {
        failure = e;
        end();
    }

    /** The next frame; null at the end. */
    synchronized Frame take() throws InterruptedException {
        while (waiting == null && !ended) {
            wait();
        }
        if (waiting == null && failure != null) {
            throw failure;
        }
        Frame frame = waiting;
        waiting = null;
        notifyAll();
        return frame;
    }

    /** Whether none ever came, not even a broken one. */
    synchronized boolean isEmpty() {
        return read == 0 && broken == 0;
    }

    /** What became of the frames, for the user: those that are drawn are known elsewhere. */
    synchronized String describe() {
        return read + " read, " + dropped + " dropped" + (broken > 0 ? ", " + broken + " broken" : "");
    }
}
