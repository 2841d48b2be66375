package jdiffusion.spark;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import jdiffusion.batch.Outcome;
import jdiffusion.batch.PictureStore;
import jdiffusion.batch.Planned;

/** A store, or none, that keeps the files of a window for the result's column of pictures where there is one. */
final class WindowStore implements PictureStore {
    private final HadoopStore store;
    private final boolean column;
    private final Map<String, byte[]> files = new ConcurrentHashMap<>();

    /** @param store null for none */
    WindowStore(HadoopStore store, boolean column) {
        this.store = store;
        this.column = column;
    }

    /** The picture for the column; null for none. */
    byte[] file(Outcome outcome) {
        if (!column || outcome.error() != null) {
            return null;
        }
        byte[] file = files.get(outcome.picture().name());
        return file == null ? store.read(outcome.picture()) : file;
    }

    @Override
    public boolean has(Planned picture) {
        return store != null && store.has(picture);
    }

    @Override
    public long put(Planned picture, byte[] file) {
        if (column) {
            files.put(picture.name(), file);
        }
        return store == null ? file.length : store.put(picture, file);
    }

    @Override
    public long size(Planned picture) {
        return store.size(picture);
    }

    @Override
    public String place(Planned picture) {
        return store == null ? null : store.place(picture);
    }
}
