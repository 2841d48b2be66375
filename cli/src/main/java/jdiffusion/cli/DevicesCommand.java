package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.conv2d.CudnnConv2d;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.CudaDriver;
import jdiffusion.kernels.linear.CublasLinear;
import jdiffusion.kernels.machine.CpuLevel;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists what {@code --device}, {@code --cpu}, {@code --gemm} and {@code --conv} can be here. */
@Command(name = "devices", mixinStandardHelpOptions = true, sortOptions = false,
        header = "List the devices, and why one cannot be used.",
        footerHeading = "%nExamples:%n",
        footer = {"  jdiffusion devices", "  jdiffusion devices --json"})
final class DevicesCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print the list as JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    /**
     * A line of the list.
     *
     * @param obstacle why it cannot be used; null when it can
     */
    private record Entry(String name, String description, String obstacle) {
    }

    @Override
    public Integer call() {
        List<Entry> entries = new ArrayList<>();
        try (Backend cpu = new CpuBackend()) {
            entries.add(new Entry("cpu", cpu.describe(), null));
        }
        for (CpuLevel level : CpuLevel.values()) {
            entries.add(new Entry(level.label(), "for --cpu " + level.label() + ": " + level.description()
                    + (level == CpuLevel.best() ? "; the default" : ""), level.obstacle()));
        }
        entries.addAll(cuda());
        entries.add(new Entry("emulated", "a CUDA device of compute capability 8.0, emulated on the CPU: for tests and"
                + " profiles of kernels", EmulatedDevice.obstacle()));
        entries.add(new Entry("cublas", "for --gemm cublas", CublasLinear.obstacle()));
        entries.add(new Entry("cudnn", "for --conv cudnn", CudnnConv2d.obstacle()));
        entries.add(new Entry("compiler", "for --kernels DIR", CudaBackend.compilerObstacle()));
        if (json) {
            ArrayNode list = new ObjectMapper().createArrayNode();
            entries.forEach(e -> list.addObject().put("name", e.name).put("description", e.description)
                    .put("usable", e.obstacle == null).put("obstacle", e.obstacle));
            main.out().println(list);
        } else {
            entries.forEach(e -> main.out().printf("%-10s %s: %s%n", e.name, e.obstacle == null ? "usable"
                    : "not usable", e.obstacle == null ? e.description : e.obstacle));
        }
        return Main.OK;
    }

    private static List<Entry> cuda() {
        if (!CudaDriver.isInstalled()) {
            return List.of(new Entry("cuda", "", CudaDriver.notInstalled()));
        }
        try {
            return CudaDriver.devices().stream().map(d -> new Entry("cuda:" + d.ordinal(), String.format(Locale.ROOT,
                    "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB, %s, %s", d.name(), d.major(),
                    d.minor(), d.multiprocessors(), d.memoryBytes() / (double) (1 << 30), CudaDriver.version(),
                    d.kernels()), d.obstacle()))
                    .toList();
        } catch (DeviceException e) {
            return List.of(new Entry("cuda", "", e.getMessage()));
        }
    }
}
