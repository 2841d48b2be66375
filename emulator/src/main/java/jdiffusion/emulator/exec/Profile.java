package jdiffusion.emulator.exec;

import java.util.Arrays;
import jdiffusion.emulator.KernelCounters.Traffic;

/** Counters of one worker during one launch. */
public final class Profile {
    private static final int SECTOR = 32;
    private static final int BANKS = 32;

    private final long[] blockCounts;
    private final Traffic[] traffic;
    private final long[] addresses = new long[Layout.LANES];
    private final int[] words = new int[4 * Layout.LANES];
    private final int[] bankLoad = new int[BANKS];

    public Profile(CompiledKernel kernel) {
        this.blockCounts = new long[kernel.blockSites().length];
        this.traffic = new Traffic[kernel.sites().size()];
        Arrays.setAll(traffic, i -> new Traffic());
    }

    /** How often a warp ran each basic block. */
    public long[] blockCounts() {
        return blockCounts;
    }

    /** Traffic by site. */
    public Traffic[] traffic() {
        return traffic;
    }

    /** A warp's request of {@code bytes} per lane, which are aligned and at most 16: none lies in two sectors. */
    void global(int site, long[] address, int mask, int bytes, boolean write) {
        int count = 0;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                addresses[count++] = address[l];
            }
        }
        Arrays.sort(addresses, 0, count);
        long distinct = 0;
        long sectors = 0;
        for (int i = 0; i < count; i++) {
            distinct += i == 0 || addresses[i] != addresses[i - 1] ? 1 : 0;
            sectors += i == 0 || addresses[i] / SECTOR != addresses[i - 1] / SECTOR ? 1 : 0;
        }
        Traffic line = traffic[site];
        line.globalRequests++;
        line.globalSectors += sectors;
        line.globalSectorsRead += write ? 0 : sectors;
        line.globalIdealSectors += Math.ceilDiv(distinct * bytes, SECTOR);
        if (write) {
            line.globalBytesWritten += (long) count * bytes;
        } else {
            line.globalBytesRead += (long) count * bytes;
        }
    }

    /** A warp's request: 32 lanes together up to 4 bytes, half-warps at 8 bytes, quarter-warps at 16. */
    void shared(int site, long[] address, int mask, int bytes) {
        int lanes = bytes <= 4 ? 32 : 128 / bytes;
        Traffic line = traffic[site];
        line.sharedRequests++;
        for (int from = 0; from < Layout.LANES; from += lanes) {
            int count = 0;
            for (int l = from; l < from + lanes; l++) {
                if ((mask >>> l & 1) != 0) {
                    for (int i = 0; i < Math.max(1, bytes / 4); i++) {
                        words[count++] = (int) (address[l] >> 2) + i;
                    }
                }
            }
            if (count > 0) {
                int conflicts = conflicts(count);
                line.sharedConflictCycles += conflicts;
                line.sharedWavefronts += 1 + conflicts;
            }
        }
    }

    /** Extra cycles of one pass: the most distinct words in one bank, less one. */
    private int conflicts(int count) {
        Arrays.sort(words, 0, count);
        Arrays.fill(bankLoad, 0);
        int most = 1;
        for (int i = 0; i < count; i++) {
            if (i == 0 || words[i] != words[i - 1]) {
                most = Math.max(most, ++bankLoad[words[i] & BANKS - 1]);
            }
        }
        return most - 1;
    }
}
