package jdiffusion.emulator.exec;

import java.util.Arrays;
import java.util.Collection;
import jdiffusion.emulator.Banks;
import jdiffusion.emulator.KernelCounters.Traffic;
import jdiffusion.emulator.SharedRequest;

/** Counters of one worker during one launch. */
public final class Profile {
    private static final int SECTOR = 32;

    /** How warps came to barriers at one place. */
    public static final class Meetings {
        /** Times that the barrier opened. */
        public long openings;
        /** Instructions of the warps that met, each since it last met any. */
        public long instructions;
        /** What that would be, did every warp execute as many as the one that executed most. */
        public long slowest;
    }

    private final int[][] blockSites;
    private final long[] blockCounts;
    private final long[] lanes;
    private final long[] partings;
    private final Traffic[] traffic;
    private final SharedRequest[] worst;
    private final Meetings[] meetings;
    private final long[] addresses = new long[Layout.LANES];
    private final Banks banks = new Banks();

    public Profile(CompiledKernel kernel) {
        this.blockSites = kernel.blockSites();
        this.blockCounts = new long[blockSites.length];
        this.lanes = new long[blockSites.length];
        this.partings = new long[blockSites.length];
        this.traffic = new Traffic[kernel.sites().size()];
        this.worst = new SharedRequest[traffic.length];
        this.meetings = new Meetings[traffic.length];
        Arrays.setAll(traffic, i -> new Traffic());
    }

    /** How often a warp ran each basic block. */
    public long[] blockCounts() {
        return blockCounts;
    }

    /** Lanes that took part, summed over the runs of each basic block. */
    public long[] lanes() {
        return lanes;
    }

    /** How often lanes of a warp parted at the end of each basic block. */
    public long[] partings() {
        return partings;
    }

    /** Traffic by site. */
    public Traffic[] traffic() {
        return traffic;
    }

    /** The worst request to shared memory by site; null where there was none. */
    public SharedRequest[] worst() {
        return worst;
    }

    /** Barriers by site; null where none opened. */
    public Meetings[] meetings() {
        return meetings;
    }

    /** A warp begins a basic block. */
    void begin(Warp warp, int at, int mask) {
        blockCounts[at]++;
        lanes[at] += Integer.bitCount(mask);
        warp.sinceBarrier += blockSites[at].length;
    }

    /** The lanes that began a block wait for others before its first instruction. */
    void takeBack(Warp warp, int at, int mask) {
        blockCounts[at]--;
        lanes[at] -= Integer.bitCount(mask);
        warp.sinceBarrier -= blockSites[at].length;
    }

    /** Lanes of a warp part at the end of a block. */
    void part(int at) {
        partings[at]++;
    }

    /** Warps have met at a barrier. */
    void meet(int site, Collection<Warp> warps) {
        Meetings here = meetings[site] == null ? meetings[site] = new Meetings() : meetings[site];
        long most = 0;
        for (Warp warp : warps) {
            most = Math.max(most, warp.sinceBarrier);
            here.instructions += warp.sinceBarrier;
            warp.sinceBarrier = 0;
        }
        here.openings++;
        here.slowest += most * warps.size();
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

    /** A bulk copy of some bytes of shared memory, of which {@code valid} exist in global memory. */
    void bulk(int site, int sectors, int bytes, int valid, boolean write) {
        Traffic line = traffic[site];
        line.globalRequests++;
        line.globalSectors += sectors;
        line.globalSectorsRead += write ? 0 : sectors;
        line.globalIdealSectors += Math.ceilDiv(valid, SECTOR);
        line.globalBytesRead += write ? 0 : valid;
        line.globalBytesWritten += write ? valid : 0;
        line.sharedRequests++;
        line.sharedWavefronts += Math.ceilDiv(bytes, Banks.COUNT * Integer.BYTES);
    }

    /** Bytes that go from one block's shared memory to another's, or from registers to there. */
    void transfer(int site, int bytes) {
        Traffic line = traffic[site];
        line.sharedRequests++;
        line.sharedWavefronts += Math.ceilDiv(bytes, Banks.COUNT * Integer.BYTES);
    }

    /** A warp's request to shared memory. */
    void shared(int site, long[] address, int mask, int bytes) {
        int lost = banks.conflicts(address, mask, bytes);
        traffic[site].sharedRequests++;
        traffic[site].sharedConflictCycles += lost;
        traffic[site].sharedWavefronts += Banks.passes(mask, bytes) + lost;
        if (mask != 0 && (worst[site] == null || lost > worst[site].conflicts())) {
            worst[site] = new SharedRequest(address.clone(), mask, bytes, lost);
        }
    }
}
