package jdiffusion.cli;

import java.io.BufferedOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.util.Locale;

/** The standard output, which remembers why it could not be written, as a {@link PrintStream} does not. */
final class Results extends PrintStream {
    private final Sink sink;

    Results(OutputStream to, Charset charset) {
        this(new Sink(to), charset);
    }

    private Results(Sink sink, Charset charset) {
        super(new BufferedOutputStream(sink), false, charset);
        this.sink = sink;
    }

    /** Why something was lost; null when all is written, or a reader has closed its end, as {@code head} does. */
    IOException failure() {
        flush();
        IOException e = sink.failure;
        return e == null || String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("pipe") ? null : e;
    }

    /** Keeps the first failure. */
    private static final class Sink extends FilterOutputStream {
        private IOException failure;

        Sink(OutputStream to) {
            super(to);
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            try {
                out.write(bytes, from, count);
            } catch (IOException e) {
                failure = failure == null ? e : failure;
                throw e;
            }
        }
    }
}
