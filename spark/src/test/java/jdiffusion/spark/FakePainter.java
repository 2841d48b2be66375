package jdiffusion.spark;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import jdiffusion.batch.Painter;
import jdiffusion.batch.Planned;
import jdiffusion.batch.Row;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.InputException;

/** A painter whose pictures are texts, so that what is around it can be tested without a model. */
final class FakePainter implements Painter {
    /** Painters made in this JVM. */
    static final AtomicInteger MADE = new AtomicInteger();
    /** Pictures drawn in this JVM. */
    static final AtomicInteger DRAWN = new AtomicInteger();
    /** A prompt at which the device fails, once. */
    static final String BREAKS = "breaks";
    /** A prompt that is planned, and then fails. */
    static final String FAILS = "fails";
    private static final AtomicInteger BROKEN = new AtomicInteger();

    private final String device;

    private FakePainter(String device) {
        this.device = device;
        MADE.incrementAndGet();
    }

    static Painter open(Settings settings, String device, int threads) {
        return new FakePainter(device + "/" + threads);
    }

    /** A picture, which is its text. */
    record Text(String prompt, long seed) implements Planned {
        @Override
        public String name() {
            return UUID.nameUUIDFromBytes((prompt + seed).getBytes(StandardCharsets.UTF_8)).toString()
                    .replace("-", "");
        }

        @Override
        public String ending() {
            return ".txt";
        }

        @Override
        public int width() {
            return 64;
        }

        @Override
        public int height() {
            return 32;
        }
    }

    @Override
    public int images(Row row) {
        return row.columns().path("images").asInt(1);
    }

    @Override
    public Planned plan(Row row, int image) {
        if (!row.columns().has("prompt")) {
            throw new InputException("there is no prompt");
        }
        return new Text(row.columns().get("prompt").asText(), row.columns().path("seed").asLong(-1) + image);
    }

    @Override
    public void draw(List<Planned> pictures, Sink sink) {
        for (Planned picture : pictures.reversed()) {
            if (picture.prompt().equals(BREAKS) && BROKEN.getAndIncrement() == 0) {
                throw new DeviceException("the device is gone");
            }
            if (picture.prompt().equals(FAILS)) {
                sink.failed(picture, "it cannot be drawn");
            } else {
                DRAWN.incrementAndGet();
                sink.drawn(picture, () -> picture.toString().getBytes(StandardCharsets.UTF_8), 1_000_000);
            }
        }
    }

    @Override
    public String device() {
        return device;
    }

    @Override
    public void close() {
        // It holds nothing.
    }
}
