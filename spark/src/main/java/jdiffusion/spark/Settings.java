package jdiffusion.spark;

import java.io.Serial;
import java.io.Serializable;
import java.util.Objects;

/**
 * How a table of prompts is drawn: everything that is the same for all its rows.
 *
 * @param model     folder or file of the checkpoint, as each executor finds it
 * @param out       folder for the pictures, in any of Hadoop's file systems; null for none
 * @param column    whether the result has the pictures themselves, in the column {@code picture}
 * @param device    auto, cpu, cuda or emulated; auto and cuda stand for the GPU that Spark gives to a task, where it
 *                  gives one
 * @param precision f32, bf16, bf16x2, bf16x3, f16 or fp8; null for the device's own
 * @param seed      what seeds of rows without one are made from, together with their content
 * @param window    rows that a task plans at a time; those of one shape are drawn together
 */
public record Settings(String model, String out, boolean column, String device, String precision, long seed,
                       int window) implements Serializable {
    @Serial
    private static final long serialVersionUID = 1L;
    private static final int WINDOW = 32;

    public Settings {
        Objects.requireNonNull(model, "model");
        Objects.requireNonNull(device, "device");
        if (window < 1) {
            throw new IllegalArgumentException("window is " + window + "; use 1 or more");
        }
        if (out == null && !column) {
            throw new IllegalArgumentException("pictures go nowhere: name a folder, or ask for their column");
        }
    }

    /** Pictures in a folder. */
    public static Settings of(String model, String out) {
        return new Settings(model, out, out == null, "auto", null, 0, WINDOW);
    }

    /** Pictures in the column {@code picture} only. */
    public static Settings inColumn(String model) {
        return of(model, null);
    }

    /** The same with the pictures in the result as well, or not. */
    public Settings withColumn(boolean wanted) {
        return new Settings(model, out, wanted, device, precision, seed, window);
    }

    /** The same on another device. */
    public Settings withDevice(String other) {
        return new Settings(model, out, column, other, precision, seed, window);
    }

    /** The same at another precision. */
    public Settings withPrecision(String other) {
        return new Settings(model, out, column, device, other, seed, window);
    }

    /** The same with other seeds for the rows that have none. */
    public Settings withSeed(long other) {
        return new Settings(model, out, column, device, precision, other, window);
    }

    /** The same with another number of rows planned at a time. */
    public Settings withWindow(int other) {
        return new Settings(model, out, column, device, precision, seed, other);
    }
}
