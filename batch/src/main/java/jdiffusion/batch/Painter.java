package jdiffusion.batch;

import java.util.List;
import java.util.function.Supplier;

/** Turns rows into pictures. For one thread. */
public interface Painter extends AutoCloseable {
    /** Gets pictures as they are drawn. */
    interface Sink {
        /**
         * A picture is there.
         *
         * @param file  makes the bytes of its file; may be asked on another thread
         * @param nanos it took, its share of what was done for several at once
         */
        void drawn(Planned picture, Supplier<byte[]> file, long nanos);

        /** A picture could not be drawn. */
        void failed(Planned picture, String why);
    }

    /**
     * How many pictures a row asks for.
     *
     * @throws jdiffusion.tensor.InputException when it does not say so rightly
     */
    int images(Row row);

    /**
     * What a picture of a row will be, without drawing it. The same row gives the same name everywhere.
     *
     * @param image from 0
     * @throws jdiffusion.tensor.InputException when the row cannot be drawn
     */
    Planned plan(Row row, int image);

    /**
     * Draws pictures, in any order, together where they can be.
     *
     * @param pictures that this painter planned, each name once
     * @throws jdiffusion.kernels.DeviceException when the device can no longer be used
     */
    void draw(List<Planned> pictures, Sink sink);

    /** The device in words. */
    String device();

    @Override
    void close();
}
