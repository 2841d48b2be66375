package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import jdiffusion.kernels.DeviceException;

/** Kernels of the build with one instruction left out, which the emulator's checks must notice. */
public final class Planted {
    private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)\\(.*?\\n}\\n", Pattern.DOTALL);

    private final String file;
    private final String kernel;
    private final String instruction;

    /**
     * @param file        as {@link KernelSource#ptx} takes it
     * @param kernel      the kernel of that file to keep; the others are left out
     * @param instruction how the instructions to leave out begin
     */
    public Planted(String file, String kernel, String instruction) {
        this.file = file;
        this.kernel = kernel;
        this.instruction = instruction;
    }

    /**
     * Runs the kernel without each of the instructions in turn.
     *
     * @param run what a device with such kernels throws, or null
     * @return numbers of the instructions, in the order of the text, whose absence was noticed
     */
    public List<Integer> noticed(Function<KernelSource, Throwable> run) {
        List<Integer> noticed = new ArrayList<>();
        List<KernelSource> sources = sources();
        for (int i = 0; i < sources.size(); i++) {
            Throwable fault = run.apply(sources.get(i));
            if (fault != null) {
                assertRace(fault, kernel);
                noticed.add(i);
            }
        }
        return noticed;
    }

    /** The message says where, and with what. */
    public static void assertRace(Throwable fault, String kernel) {
        String thread = "thread \\d+ \\(warp \\d, lane \\d+\\)";
        String place = " in kernel " + kernel + ", PTX line \\d+ `[^`]*`, block \\(\\d+, 0, 0\\), " + thread
                + ": shared byte \\d+ ";
        assertThat(fault).isInstanceOf(DeviceException.class);
        assertThat(fault.getMessage()).matches(".*(UNINITIALISED_SHARED" + place + ".*was never written|(SHARED_RACE|"
                + "UNFINISHED_COPY)" + place + "(is|may be) .*" + thread + " at line \\d+ `[^`]*`.*)");
    }

    private List<KernelSource> sources() {
        String alone = ENTRY.matcher(KernelSource.BUILT_IN.ptx(file))
                .replaceAll(entry -> entry.group(1).equals(kernel) ? "$0" : "");
        List<KernelSource> sources = new ArrayList<>();
        List<MatchResult> places = Pattern.compile("\\n[^\\n]*" + Pattern.quote(instruction) + "[^\\n]*").matcher(alone)
                .results().toList();
        assertThat(places).as("%s of %s", instruction, kernel).isNotEmpty();
        for (MatchResult place : places) {
            String without = alone.substring(0, place.start()) + "\n" + alone.substring(place.end());
            sources.add(name -> name.equals(file) ? without : KernelSource.BUILT_IN.ptx(name));
        }
        return sources;
    }
}
