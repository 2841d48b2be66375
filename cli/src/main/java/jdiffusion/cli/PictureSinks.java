package jdiffusion.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.tensor.InputException;

/** All places where the pictures of a stream go. */
record PictureSinks(List<PictureSink> all) implements PictureSink {
    /** @param outputs as the user names them; null for the standard output */
    static PictureSinks of(List<String> outputs, String input, PictureFormat format, PrintStream out,
                           Consumer<String> notes) {
        List<String> names = outputs == null ? List.of(STANDARD_OUTPUT) : outputs;
        if (new HashSet<>(names).size() < names.size()) {
            throw new InputException("--output is given twice with the same place; leave one out");
        }
        if (outputs == null && System.console() != null && System.console().isTerminal()) {
            throw new InputException("pictures would go to the terminal; send them elsewhere with | or >, or name a"
                    + " folder or http with --output");
        }
        PictureSinks sinks = new PictureSinks(new ArrayList<>());
        try {
            for (String name : names) {
                sinks.all.add(PictureSink.of(name, input, format, out, notes));
            }
            return sinks;
        } catch (RuntimeException e) {
            sinks.close();
            throw e;
        }
    }

    @Override
    public boolean write(Frame frame, byte[] encoded) {
        boolean more = true;
        for (PictureSink sink : all) {
            more &= sink.write(frame, encoded);
        }
        return more;
    }

    @Override
    public void close() {
        all.forEach(PictureSink::close);
    }
}
