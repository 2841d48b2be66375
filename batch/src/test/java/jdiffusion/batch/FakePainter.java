package jdiffusion.batch;

import java.nio.charset.StandardCharsets;
import java.util.List;
import jdiffusion.tensor.InputException;

/** Draws nothing: a picture is its prompt's bytes. */
class FakePainter implements Painter {
    /** Something that is asked before each picture. */
    @FunctionalInterface
    interface Before {
        void picture(Planned picture);
    }

    private final Before before;
    private final RowReader reader;

    record Fake(String name, String prompt, long seed) implements Planned {
        @Override
        public String ending() {
            return ".png";
        }

        @Override
        public int width() {
            return 8;
        }

        @Override
        public int height() {
            return 8;
        }
    }

    FakePainter(RowReader reader, Before before) {
        this.reader = reader;
        this.before = before;
    }

    static byte[] bytes(Planned picture) {
        return (picture.prompt() + picture.seed()).repeat(20).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public int images(Row row) {
        return reader.images(row);
    }

    @Override
    public Planned plan(Row row, int image) {
        RowReader.Asked asked = reader.read(row, image);
        String prompt = asked.fields().prompt;
        if (prompt.startsWith("bad")) {
            throw new InputException("this row is bad");
        }
        long seed = asked.fields().seed;
        return new Fake(Canonical.sha256((prompt + seed).getBytes(StandardCharsets.UTF_8)).substring(0, 32), prompt,
                seed);
    }

    @Override
    public void draw(List<Planned> pictures, Sink sink) {
        for (Planned picture : pictures) {
            before.picture(picture);
            if (picture.prompt().startsWith("fails")) {
                sink.failed(picture, "it cannot be drawn");
            } else {
                sink.drawn(picture, () -> bytes(picture), 1000);
            }
        }
    }

    @Override
    public String device() {
        return "none";
    }

    @Override
    public void close() {
        // Holds nothing.
    }
}
