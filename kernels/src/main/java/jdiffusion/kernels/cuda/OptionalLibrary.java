package jdiffusion.kernels.cuda;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.kernels.DeviceException;

/**
 * A library of NVIDIA's that runs only when an option asks for it. Nothing of it or its bindings is touched before the
 * first question here; the answer then holds for the rest of the process.
 */
public final class OptionalLibrary {
    private static final Pattern MISSING = Pattern.compile("([\\w.-]+): cannot open shared object file");

    private final String option;
    private final String fallback;
    private final String remedy;
    private final Runnable bindings;
    private boolean asked;
    private String obstacle;

    /**
     * @param option   that asks for it: {@code "--gemm cublas"}
     * @param fallback the option that does without: {@code "--gemm own"}
     * @param remedy   what to do when it is missing: {@code "install CUDA's cuBLAS 12"}
     * @param bindings loads them, and with them the library
     */
    public OptionalLibrary(String option, String fallback, String remedy, Runnable bindings) {
        this.option = option;
        this.fallback = fallback;
        this.remedy = remedy;
        this.bindings = bindings;
    }

    /** Why it cannot be used, in one line; null when it can. */
    public synchronized String obstacle() {
        if (!asked) {
            asked = true;
            try {
                bindings.run();
            } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
                obstacle = reason(String.valueOf(e.getMessage()));
            }
        }
        return obstacle;
    }

    /** Fails in one line when it cannot be used. */
    public void require() {
        String reason = obstacle();
        if (reason != null) {
            throw new DeviceException(option + ": " + reason + ", or use " + fallback);
        }
    }

    private String reason(String message) {
        Matcher missing = MISSING.matcher(message);
        if (missing.find()) {
            return missing.group(1) + " was not found; " + remedy;
        }
        String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!system.toLowerCase(Locale.ROOT).equals("linux amd64")) {
            return "its bindings do not load on this platform (" + system + "); use Linux on x86-64";
        }
        // The dynamic linker's line names the library, in whichever language.
        String cause = message.lines().filter(line -> line.contains(".so: ")).findFirst()
                .or(() -> message.lines().findFirst()).orElse("").strip();
        return "its bindings do not load (" + cause + "); " + remedy;
    }
}
