package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Barriers at which one warp arrives and goes on while another one waits: what comes before what. */
class ArrivalRaceTest {
    /** Warp 0 writes words 0 to 31 and arrives, warp 1 waits and reads them. Words 32 to 63 are 0 at first. */
    private static final String HANDING_ON = """
            shl.b32 %r2, %r10, 2;
            and.b32 %r2, %r2, 127;
            mov.u32 %r1, 512;
            setp.ge.u32 %p2, %r10, 32;
            setp.eq.s32 %p1, %r10, 0;
            @!%p2 st.shared.u32 [%r2+128], 0;
            INIT
            bar.sync 0;
            @%p2 bra CONSUMER;
            st.shared.u32 [%r2], %r10;
            ARRIVE
            AFTER
            bra END;
            CONSUMER:
            BEFORE
            WAIT
            ld.shared.u32 %r4, [%r2];
            LATE
            END:
            """;
    private static final String INIT = "@%p1 mbarrier.init.shared.b64 [%r1], 32;";
    private static final String ARRIVE = "mbarrier.arrive.shared.b64 %rd5, [%r1];";
    private static final String WAIT = """
            AGAIN:
            mbarrier.test_wait.parity.shared.b64 %p3, [%r1], 0;
            @!%p3 bra AGAIN;
            """;

    private static String byMemoryBarrier(String before, String after, String late) {
        return HANDING_ON.replace("INIT", INIT).replace("ARRIVE", ARRIVE).replace("WAIT", WAIT)
                .replace("BEFORE", before).replace("AFTER", after).replace("LATE", late);
    }

    private static String byNamedBarrier(String before, String after, String late) {
        return HANDING_ON.replace("INIT", "").replace("ARRIVE", "bar.arrive 1, 64;").replace("WAIT", "bar.sync 1, 64;")
                .replace("BEFORE", before).replace("AFTER", after).replace("LATE", late);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5})
    void whatIsDoneBeforeArrivingIsSeen(long seed) {
        assertThat(fault(checked().withSeed(seed), byMemoryBarrier("", "", ""))).isNull();
        assertThat(fault(checked().withSeed(seed), byNamedBarrier("", "", ""))).isNull();
        String earlier = "ld.shared.u32 %r5, [%r2+128];";
        assertThat(fault(checked().withSeed(seed), byMemoryBarrier(earlier, "", earlier))).isNull();
        assertThat(fault(checked().withSeed(seed), byNamedBarrier(earlier, "", earlier))).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5})
    void whatIsDoneAfterArrivingIsNot(long seed) {
        String after = "st.shared.u32 [%r2+128], %r10;";
        String late = "ld.shared.u32 %r5, [%r2+128];";
        for (String body : new String[] {byMemoryBarrier("", after, late), byNamedBarrier("", after, late)}) {
            DeviceFault fault = fault(checked().withSeed(seed), body);
            assertThat(fault).isNotNull();
            assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
            assertThat(fault).hasMessageContaining("st.shared.u32 [%r2+128], %r10;").hasMessageContaining(late);
        }
    }

    /** Arriving makes nothing of the waiting side seen. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void whoOnlyArrivesSeesNothing(long seed) {
        DeviceFault fault = fault(checked().withSeed(seed), byNamedBarrier("st.shared.u32 [%r2+128], %r10;",
                "ld.shared.u32 %r5, [%r2+128];", ""));
        assertThat(fault).isNotNull();
        assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
    }

    @Test
    void arrivalsThatNobodyWaitsForEndNothing() {
        assertThat(fault(checked(), "bar.arrive 1, 96;")).isNull();
        DeviceFault twice = fault(checked(), "bar.arrive 1, 256;\nbar.arrive 1, 256;");
        assertThat(twice.kind()).isEqualTo(Kind.DIVERGENT_BARRIER);
        assertThat(twice).hasMessageContaining("arrives again at barrier 1, which has not opened since");
        DeviceFault waiting = fault(checked(), """
                setp.ge.u32 %p2, %r10, 32;
                @%p2 bra WAITS;
                bar.arrive 1, 96;
                bra END;
                WAITS:
                bar.sync 1, 96;
                END:
                """);
        assertThat(waiting.kind()).isEqualTo(Kind.DEADLOCK);
    }

    /** Several warps hold the same values, and all of them store them. */
    @Test
    void warpsMayStoreTheSameValueWithOneInstruction() {
        assertThat(fault(checked(), "and.b32 %r1, %r10, 31;\nshl.b32 %r2, %r1, 2;\n"
                + "st.shared.u32 [%r2], %r1;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];")).isNull();
        DeviceFault fault = fault(checked(), "mov.u32 %r2, 16;\nst.shared.u32 [%r2], %r10;", 1, 33);
        assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
        DeviceFault warps = fault(checked(), "and.b32 %r1, %r10, 31;\nshl.b32 %r2, %r1, 2;\n"
                + "st.shared.u32 [%r2], %r10;");
        assertThat(warps.kind()).isEqualTo(Kind.SHARED_RACE);
        assertThat(warps).hasMessageContaining("with another value and no barrier between");
        DeviceFault read = fault(checked(), "and.b32 %r1, %r10, 31;\nshl.b32 %r2, %r1, 2;\nst.shared.u32 [%r2], %r1;"
                + "\nld.shared.u32 %r3, [%r2];");
        assertThat(read.kind()).as("a read of what another warp may be storing").isEqualTo(Kind.SHARED_RACE);
    }
}
