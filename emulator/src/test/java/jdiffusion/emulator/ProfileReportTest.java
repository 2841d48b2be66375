package jdiffusion.emulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Traffic;
import org.junit.jupiter.api.Test;

class ProfileReportTest {

    /** A product of 2 launches with 54 blocks each: a prologue, a loop of 1000 rounds, an epilogue. */
    private static KernelCounters product() {
        var counters = new KernelCounters("linear_bf16", List.of());
        counters.addLaunch(54);
        counters.addLaunch(54);
        counters.addLine(10, "mov.u32", InstructionClass.INTEGER, 400, 0, new Traffic());
        var copies = traffic(2000, 8000, 8000, 256000, 0);
        counters.addLine(20, "cp.async.cg", InstructionClass.CP_ASYNC, 100_000, 0, copies);
        var loads = new Traffic();
        loads.sharedRequests = 100_000;
        loads.sharedConflictCycles = 7;
        loads.sharedWavefronts = 400_007;
        counters.addLine(21, "ldmatrix", InstructionClass.LDMATRIX, 100_000, 0, loads);
        counters.addLine(22, "mma.sync", InstructionClass.MMA, 200_000, 4096, new Traffic());
        counters.addLine(23, "add.s32", InstructionClass.INTEGER, 100_000, 0, new Traffic());
        counters.addLine(24, "bra", InstructionClass.CONTROL, 100_000, 0, new Traffic());
        counters.addLine(30, "st.global", InstructionClass.GLOBAL, 400, 0, traffic(400, 3200, 1600, 0, 51200));
        return counters;
    }

    private static Traffic traffic(long requests, long sectors, long ideal, long read, long written) {
        var traffic = new Traffic();
        traffic.globalRequests = requests;
        traffic.globalSectors = sectors;
        traffic.globalSectorsRead = written == 0 ? sectors : 0;
        traffic.globalIdealSectors = ideal;
        traffic.globalBytesRead = read;
        traffic.globalBytesWritten = written;
        return traffic;
    }

    @Test
    void sharesAndRatiosFollowFromTheCounters() {
        KernelProfile profile = KernelProfile.of(product());
        assertThat(profile.launches()).isEqualTo(2);
        assertThat(profile.warpInstructions()).isEqualTo(600_800);
        assertThat(profile.mix().values().stream().mapToDouble(Double::doubleValue).sum()).isEqualTo(1, within(1e-9));
        assertThat(profile.mix().get(InstructionClass.MMA)).isEqualTo(200_000 / 600_800.0);
        assertThat(profile.tensorShare()).isEqualTo(400_000 / 500_400.0);
        assertThat(profile.mmaFlops()).isEqualTo(819_200_000);
        assertThat(profile.sectorsPerIdeal()).isEqualTo(11_200 / 9_600.0);
        assertThat(profile.sectorBytes()).isEqualTo(32 * 11_200);
        assertThat(profile.sectorBytesRead()).isEqualTo(32 * 8_000);
        assertThat(profile.conflictCycles()).isEqualTo(7);
        assertThat(profile.sharedWavefronts()).isEqualTo(400_007);
    }

    @Test
    void theMainLoopIsWhatRunsAsOftenAsItsTensorInstructions() {
        KernelProfile.MainLoop loop = KernelProfile.of(product()).mainLoop();
        assertThat(loop.firstLine()).isEqualTo(20);
        assertThat(loop.lastLine()).isEqualTo(24);
        assertThat(loop.warpInstructions()).isEqualTo(600_000);
        assertThat(loop.tensorShare()).isEqualTo(0.8);
        assertThat(loop.sectorsPerIdeal()).isEqualTo(1);
        assertThat(loop.conflictCycles()).isEqualTo(7);
    }

    @Test
    void estimatesAreTheLargestOfTheLimitsAndKnowSmallGrids() {
        KernelProfile.Estimate a100 = KernelProfile.of(product()).estimates().getFirst();
        assertThat(a100.card()).startsWith("A100");
        assertThat(a100.tensorMicros()).as("half of the multiprocessors work").isEqualTo(819.2 / 156, within(1e-6));
        assertThat(a100.issueMicros()).isEqualTo(600_800 / (4 * 54 * 1410.0), within(1e-6));
        assertThat(a100.memoryMicros()).isEqualTo(358_400 / 2_039_000.0, within(1e-6));
        assertThat(a100.micros()).isEqualTo(a100.tensorMicros());
        assertThat(a100.bound()).isEqualTo(KernelProfile.Bound.TENSOR);
    }

    @Test
    void aKernelWithoutTensorInstructionsIsBoundByMemory() {
        var counters = new KernelCounters("cast", List.of());
        counters.addLaunch(1000);
        counters.addLine(1, "ld.global", InstructionClass.GLOBAL, 1000, 0, traffic(1000, 16_000, 16_000, 512_000, 0));
        KernelProfile profile = KernelProfile.of(counters);
        assertThat(profile.mainLoop()).isNull();
        assertThat(profile.estimates()).allMatch(estimate -> estimate.bound() == KernelProfile.Bound.MEMORY)
                .hasSameSizeAs(Card.ALL);
        assertThat(KernelProfile.of(new KernelCounters("never run", List.of())).estimates())
                .allMatch(estimate -> estimate.micros() == 0);
    }

    @Test
    void theTextHasEveryKernelInEveryTable() {
        var small = new KernelCounters("cast", List.of());
        small.addLaunch(1);
        small.addLine(1, "ld.global", InstructionClass.GLOBAL, 1, 0, traffic(1, 4, 4, 128, 0));
        ProfileReport report = ProfileReport.of(List.of(small, product()));
        assertThat(report.kernels()).extracting(KernelProfile::kernel).containsExactly("linear_bf16", "cast");
        List<String> lines = report.text().lines().toList();
        assertThat(lines).filteredOn(line -> line.startsWith("linear_bf16")).hasSize(4);
        assertThat(lines.get(7)).startsWith("linear_bf16  ").contains("819M", "256k", "51.2k", " 1.17 ", " 80 ");
        assertThat(lines.get(13)).matches("linear_bf16 +256k +0\\.31 +400k +488\\.29");
        assertThat(lines).last().asString().startsWith("A100 80GB SXM, RTX 3060").endsWith("RTX 5090");
        assertThat(ProfileReport.of(List.of()).text()).contains("instructions, per cent");
    }

    @Test
    void theTextFitsAScreenAndLeavesOutEmptyColumns() {
        var long29 = new KernelCounters("elementwise_activate_elements", List.of());
        for (InstructionClass kind : InstructionClass.values()) {
            long29.addLine(kind.ordinal(), "x", kind, 3_000_000_000_000L, kind == InstructionClass.MMA ? 4096 : 0,
                    traffic(1, 300_000_000_000L, 200_000_000_000L, 12_345_678_901L, 999_999_999L));
        }
        for (int i = 0; i < 99_999; i++) {
            long29.addLaunch(12_345);
        }
        assertThat(ProfileReport.of(List.of(long29, product())).text().lines())
                .allMatch(line -> line.length() <= 110).anyMatch(line -> line.length() > 80);
        var copy = new KernelCounters("copy", List.of());
        copy.addLaunch(1);
        copy.addLine(1, "ld.global", InstructionClass.GLOBAL, 1, 0, traffic(1, 4, 4, 128, 0));
        List<String> lines = ProfileReport.of(List.of(copy)).text().lines().toList();
        assertThat(lines.get(0)).matches("instructions, per cent  runs  blocks  instr\\.  glb");
        assertThat(lines.get(1)).matches("copy +1 +1 +1 +100");
        assertThat(lines.get(5)).matches("work  read  sect\\.");
        assertThat(lines.get(6)).matches("copy   128   1\\.00");
    }

    @Test
    void theListingShowsWhereItWentWrong() {
        List<String> lines = KernelListing.text(product()).lines().toList();
        assertThat(lines).hasSize(8);
        assertThat(lines.get(3)).contains("    21 ", "100000", " 7 ", "ldmatrix");
        assertThat(lines.get(7)).contains("    30 ", "400", " 2.00 ", "st.global");
    }

    /** A tensor peak is multiprocessors x clock x operations per cycle, which the architecture fixes. */
    @Test
    void thePublishedPeaksAgreeWithEachOther() {
        for (Card card : Card.ALL) {
            double perCycle = card.tensorFlops() / card.multiprocessors() / card.clockHz();
            double expected = switch (card.architecture()) {
                case 80 -> 2048;
                case 90 -> 4096;
                default -> 512;
            };
            assertThat(perCycle).as(card.name()).isCloseTo(expected, within(0.005 * expected));
        }
    }
}
