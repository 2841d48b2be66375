package jdiffusion.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine.IVersionProvider;

/** The version that the build wrote into the jar. */
public final class Version implements IVersionProvider {
    /** The name and version as they stand in pictures: {@code jdiffusion 1.2.3}. */
    static String line() {
        try (InputStream in = Version.class.getResourceAsStream("version.txt")) {
            return "jdiffusion " + new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            throw new IllegalStateException("the jar's version.txt cannot be read", e);
        }
    }

    @Override
    public String[] getVersion() {
        return new String[] {line() + " (Java " + Runtime.version() + ")"};
    }
}
