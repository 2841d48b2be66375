package jdiffusion.cli;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** An amount of memory on the command line: {@code 64MiB}, {@code 1.5G} or bytes; units are powers of 1024. */
final class ByteSize implements ITypeConverter<Long> {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,18}(?:\\.\\d{1,9})?) ?(?:([kmgt])(?:ib)?|b)?");
    private static final String UNITS = "kmgt";

    @Override
    public Long convert(String text) {
        Matcher size = SIZE.matcher(text.toLowerCase(Locale.ROOT));
        if (size.matches()) {
            int shift = size.group(2) == null ? 0 : 10 * (1 + UNITS.indexOf(size.group(2)));
            BigDecimal bytes = new BigDecimal(size.group(1)).multiply(BigDecimal.valueOf(1L << shift));
            if (bytes.compareTo(BigDecimal.ONE) >= 0 && bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) <= 0) {
                return bytes.longValue();
            }
        }
        throw new TypeConversionException("'" + text + "' is no amount of memory; use for example 512MiB or 1.5GiB");
    }
}
