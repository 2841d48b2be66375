package jdiffusion.batch;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackInputStream;
import java.io.Reader;
import java.nio.channels.Channels;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.zip.GZIPInputStream;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * The rows of a file: JSON lines, or CSV with the columns' names in its first line (RFC 4180, or tabs in a .tsv file);
 * packed by gzip where the name ends in .gz. Rows are read as they are asked for, so the file may have any length.
 */
public final class PromptTable implements Iterator<Row>, AutoCloseable {
    private static final int LONGEST_LINE = 16 << 20;
    private static final List<String> JSON_LINES = List.of(".jsonl", ".ndjson");
    private static final int[] MARK = {0xEF, 0xBB, 0xBF};

    /** Gives rows one by one; null at the end. */
    @FunctionalInterface
    private interface Source {
        Row next() throws IOException;
    }

    private final Path file;
    private final Reader reader;
    private final Source source;
    private Row next;
    private boolean ended;

    private PromptTable(Path file, Reader reader, Source source) {
        this.file = file;
        this.reader = reader;
        this.source = source;
    }

    /** @throws InputException when it cannot be read or is no table */
    public static PromptTable open(Path file) {
        String name = file.getFileName() == null ? "" : file.getFileName().toString().toLowerCase(Locale.ROOT);
        boolean packed = name.endsWith(".gz");
        String plain = packed ? name.substring(0, name.length() - 3) : name;
        boolean lines = JSON_LINES.stream().anyMatch(plain::endsWith);
        if (!lines && !plain.endsWith(".csv") && !plain.endsWith(".tsv")) {
            throw new InputException(file + ": is no table of prompts by its name; give a .jsonl file with an object in"
                    + " each line, or a .csv or .tsv file with the columns' names in its first line (packed: .gz)");
        }
        InputStream in = Channels.newInputStream(InputFile.open(file));
        try {
            Reader reader = new InputStreamReader(withoutMark(packed ? new GZIPInputStream(in, 1 << 16) : in),
                    StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT));
            BufferedReader buffered = new BufferedReader(reader, 1 << 16);
            return new PromptTable(file, buffered, lines ? lines(buffered, file)
                    : csv(buffered, file, plain.endsWith(".tsv") ? '\t' : ','));
        } catch (IOException | RuntimeException e) {
            try (in) {
                throw e instanceof InputException known ? known : unreadable(file, e);
            } catch (IOException closing) {
                throw unreadable(file, closing);
            }
        }
    }

    /** What spreadsheets write before UTF-8. */
    private static InputStream withoutMark(InputStream in) throws IOException {
        PushbackInputStream back = new PushbackInputStream(in, MARK.length);
        byte[] first = back.readNBytes(MARK.length);
        boolean mark = first.length == MARK.length;
        for (int i = 0; mark && i < MARK.length; i++) {
            mark = (first[i] & 0xff) == MARK[i];
        }
        if (!mark) {
            back.unread(first);
        }
        return back;
    }

    private static InputException unreadable(Path file, Exception e) {
        return new InputException(file + ": cannot be read (" + (e instanceof CharacterCodingException
                ? "it is not UTF-8; save it as that" : e.getMessage()) + ")", e);
    }

    private static Source lines(BufferedReader reader, Path file) {
        long[] count = {0, 0};
        return () -> {
            String line;
            do {
                line = line(reader, file, count[1] + 1);
                count[1]++;
            } while (line != null && line.isBlank());
            return line == null ? null : row(count[0]++, count[1], line);
        };
    }

    /** One line, which must not fill the memory. */
    private static String line(BufferedReader reader, Path file, long number) throws IOException {
        StringBuilder text = new StringBuilder();
        int c = reader.read();
        if (c < 0) {
            return null;
        }
        while (c >= 0 && c != '\n') {
            text.append((char) c);
            if (text.length() > LONGEST_LINE) {
                throw new InputException(file + ", line " + number + ": is longer than " + LONGEST_LINE
                        + " characters; is this a table of prompts?");
            }
            c = reader.read();
        }
        return text.toString();
    }

    private static Row row(long number, long line, String text) {
        JsonNode node;
        try {
            node = JsonTree.read(text.getBytes(StandardCharsets.UTF_8), "this line");
        } catch (InputException e) {
            return new Row(number, line, null, e.getMessage().replace("; correct it, or download it again", ""));
        }
        return node instanceof ObjectNode columns ? Row.of(number, line, columns)
                : new Row(number, line, null, "this line is no JSON object: write {\"prompt\": \"...\"}");
    }

    private static Source csv(BufferedReader reader, Path file, char separator) throws IOException {
        ObjectReader cells = CsvMapper.builder().enable(CsvParser.Feature.TRIM_SPACES).build()
                .readerFor(String[].class).with(CsvSchema.emptySchema().withColumnSeparator(separator));
        long[] count = {0, 0};
        String first = record(reader, file, separator, count);
        if (first == null) {
            throw new InputException(file + ": is empty; its first line gives the columns' names");
        }
        String[] names = cells.readValue(first);
        if (Stream.of(names).noneMatch(name -> Columns.PROMPT.equals(Columns.name(name)))) {
            throw new InputException(file + ": the first line has no column 'prompt', only '"
                    + InputException.shown(String.join("', '", names)) + "'; it names the columns, with "
                    + (separator == ',' ? "commas" : "tabs") + " between them");
        }
        return () -> {
            String text;
            long line;
            do {
                line = count[1] + 1;
                text = record(reader, file, separator, count);
            } while (text != null && text.isBlank());
            if (text == null) {
                return null;
            }
            long number = count[0]++;
            try {
                String[] values = cells.readValue(text);
                if (values.length != names.length) {
                    return new Row(number, line, null, "this row has " + values.length + " cells, the first line "
                            + names.length + "; put texts with commas in quotes");
                }
                ObjectNode columns = JsonTree.object();
                for (int i = 0; i < names.length; i++) {
                    if (!values[i].isEmpty()) {
                        columns.put(names[i], values[i]);
                    }
                }
                return Row.of(number, line, columns);
            } catch (JacksonException e) {
                return new Row(number, line, null, "this row cannot be read: "
                        + InputException.shown(e.getOriginalMessage()));
            }
        };
    }

    /**
     * The text of a row, which goes on in the next line where a line ends in quotes; null at the end.
     *
     * @param count its second counts lines
     */
    private static String record(BufferedReader reader, Path file, char separator, long[] count) throws IOException {
        StringBuilder text = new StringBuilder();
        boolean quoted = false;
        do {
            String line = line(reader, file, count[1] + 1);
            if (line == null) {
                return text.isEmpty() ? null : text.toString();
            }
            count[1]++;
            text.append(text.isEmpty() ? "" : "\n").append(line);
            if (text.length() > LONGEST_LINE) {
                throw new InputException(file + ", line " + count[1] + ": a quotation that began before it has not"
                        + " ended after " + LONGEST_LINE + " characters");
            }
            quoted = endsQuoted(line, separator, quoted);
        } while (quoted);
        return text.toString();
    }

    /** Whether a line ends inside quotes, which only begin at a cell's beginning. */
    private static boolean endsQuoted(String line, char separator, boolean before) {
        boolean quoted = before;
        boolean fresh = !before;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (quoted) {
                if (c == '"' && i + 1 < line.length() && line.charAt(i + 1) == '"') {
                    i++;
                } else if (c == '"') {
                    quoted = false;
                }
            } else if (c == separator) {
                fresh = true;
            } else if (c == '"' && fresh) {
                quoted = true;
                fresh = false;
            } else {
                fresh &= c == ' ';
            }
        }
        return quoted;
    }

    @Override
    public boolean hasNext() {
        if (next == null && !ended) {
            try {
                next = source.next();
            } catch (IOException e) {
                throw unreadable(file, e);
            }
            ended = next == null;
        }
        return next != null;
    }

    @Override
    public Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Row row = next;
        next = null;
        return row;
    }

    @Override
    public void close() {
        try {
            reader.close();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }
}
