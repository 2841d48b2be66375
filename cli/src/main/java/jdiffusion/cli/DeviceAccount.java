package jdiffusion.cli;

import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.driver.EmulatedDevice;
import jdiffusion.kernels.cuda.KernelPlaces;
import jdiffusion.lab.PtxPlaces;
import jdiffusion.lab.ReportPage;
import jdiffusion.model.device.Devices;
import jdiffusion.tensor.InputException;

/** Tells at the end of a run what the kernels of the emulated device did: as text, and as a page. */
final class DeviceAccount implements AutoCloseable {
    private final Devices.Opened opened;
    private final String run;
    private final PrintStream out;
    private final boolean profile;
    private final Path page;

    /**
     * @param run     what the page is about
     * @param out     gets the text; null for none
     * @param profile whether what kernels did is part of it
     * @param page    file of the page; null for none
     * @throws InputException when the page cannot be where it should
     */
    DeviceAccount(Devices.Opened opened, String run, PrintStream out, boolean profile, Path page) {
        this.opened = opened;
        this.run = run;
        this.out = out;
        this.profile = profile;
        this.page = page;
        Path folder = page == null ? null : page.toAbsolutePath().getParent();
        if (folder != null && !Files.isDirectory(folder)) {
            throw new InputException("--emulator-report " + page + ": there is no folder " + folder);
        }
        if (page != null && Files.isDirectory(page)) {
            throw new InputException("--emulator-report " + page + ": is a folder; name a file, such as report.html");
        }
    }

    /** To be closed before the device is. */
    @Override
    public void close() {
        if (out != null && profile) {
            opened.printProfile(out);
        }
        if (page != null) {
            EmulatedDevice device = opened.emulated();
            ReportPage report = new ReportPage(run, List.of(), device.executor().options().check());
            opened.fault().ifPresent(report::fault);
            KernelPlaces places = opened.kernelPlaces();
            Map<String, List<String>> texts = new HashMap<>();
            device.executor().counters().values().forEach(kernel -> report.add(kernel, new PtxPlaces() {
                @Override
                public List<Place> at(int line) {
                    return places.at(kernel.kernel(), line).stream().map(at -> new Place(at.file(), at.line())).toList();
                }

                @Override
                public List<String> text(String file) {
                    return texts.computeIfAbsent(file, name -> places.text(name).lines().toList());
                }
            }));
            report.write(page);
            if (out != null) {
                out.println("wrote " + page);
            }
        }
    }
}
