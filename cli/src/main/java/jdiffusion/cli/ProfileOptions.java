package jdiffusion.cli;

import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.kernels.profile.ProfilingBackend;
import jdiffusion.kernels.profile.TraceFile;
import jdiffusion.model.device.Devices;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import picocli.CommandLine.Option;

/** Whether to measure each operation, and what becomes of that. */
final class ProfileOptions {
    @Option(names = "--profile",
            description = "Print the time of each kind and shape of operation and of each block, with FLOPs, bytes and"
                + " share of this machine's peak; with --json in the JSON. A device then works on one operation at a"
                + " time.")
    boolean profile;

    @Option(names = "--trace", paramLabel = "FILE",
            description = "Write all operations with their times to FILE.json, for ui.perfetto.dev or chrome://tracing;"
                + " measured as for --profile.")
    Path trace;

    private ProfilingBackend measuring;

    /** The first device to compute with; fails when the trace cannot be written, or there is a second device. */
    Backend wrap(Devices.Opened opened) {
        if (opened.second() != null && (profile || trace != null)) {
            throw new InputException((profile ? "--profile" : "--trace") + " measures one device at a time, which two"
                    + " are not; leave it out, or name one --device");
        }
        if (trace != null) {
            checkTrace();
        }
        if (!profile && trace == null) {
            return opened.backend();
        }
        measuring = new ProfilingBackend(opened.backend());
        return measuring;
    }

    private void checkTrace() {
        if (!trace.toString().toLowerCase(Locale.ROOT).endsWith(".json")) {
            throw new InputException("--trace " + trace + ": a trace is JSON; give it a name that ends in .json");
        }
        try {
            OutputFile.checkFile(trace);
        } catch (InputException e) {
            throw new InputException("--trace " + e.getMessage(), e);
        }
    }

    /** Null when nothing was measured, or only for the trace. */
    ProfileSummary summary(Duration all) {
        return profile ? ProfileSummary.of(measuring.profile(), all.toNanos(), measuring.measurePeak()) : null;
    }

    /** Writes the trace, if there is to be one. */
    void writeTrace(PrintStream err) {
        if (trace != null) {
            TraceFile.write(trace, measuring.profile());
            err.println("wrote " + Console.oneLine(trace) + ", for ui.perfetto.dev or chrome://tracing");
        }
    }
}
