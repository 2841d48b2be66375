package jdiffusion.emulator;

import static jdiffusion.emulator.Faults.checked;
import static jdiffusion.emulator.Faults.fault;
import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.emulator.DeviceFault.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Data that one thread hands to another by a flag in shared memory. */
class FlagOrderTest {
    private static final String HAND_ON = """
            setp.eq.s32 %p1, %r10, 0;
            setp.eq.s32 %p2, %r10, READER;
            @%p1 st.shared.u32 [0], 0;
            bar.sync 0;
            @%p1 bra WRITE;
            @%p2 bra READ;
            bra END;
            WRITE: st.shared.u32 [64], 7;
            FENCE
            STORE [0], 1;
            bra END;
            READ: LOAD %r3, [0];
            setp.eq.s32 %p3, %r3, 0;
            @%p3 bra READ;
            BEFORE
            ld.shared.u32 %r4, [64];
            END:
            """;

    private static String handOn(String fence, String store, String load, String before) {
        return HAND_ON.replace("FENCE", text(fence)).replace("STORE", store).replace("LOAD", load)
                .replace("BEFORE", text(before));
    }

    private static String text(String instruction) {
        return instruction.equals("-") ? "" : instruction + ";";
    }

    @ParameterizedTest
    @CsvSource({"membar.cta, st.volatile.shared.u32, ld.volatile.shared.u32, membar.cta",
        "fence.acq_rel.cta, st.relaxed.cta.shared.u32, ld.relaxed.cta.shared.u32, fence.sc.cta",
        "membar.gl, red.shared.add.u32, ld.volatile.shared.u32, membar.sys",
        "-, st.release.cta.shared.u32, ld.acquire.cta.shared.u32, -",
        "-, red.release.cta.shared.or.b32, ld.relaxed.cta.shared.u32, fence.acq_rel.gpu",
        "membar.cta, st.volatile.shared.u32, ld.acquire.cta.shared.u32, -"})
    void flagsAndFences(String fence, String store, String load, String before) {
        for (int reader : new int[] {32, 1}) {
            if (reader == 1 && (store + load).contains("volatile") && !store.startsWith("red")) {
                continue;
            }
            for (long seed = 0; seed < 4; seed++) {
                assertThat(fault(checked().withSeed(seed), handOn(fence, store, load, before).replace("READER",
                        "" + reader), 1, 64)).isNull();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"-, st.volatile.shared.u32, ld.volatile.shared.u32, membar.cta",
        "membar.cta, st.volatile.shared.u32, ld.volatile.shared.u32, -",
        "-, st.relaxed.cta.shared.u32, ld.acquire.cta.shared.u32, -",
        "-, st.release.cta.shared.u32, ld.relaxed.cta.shared.u32, -",
        "-, red.shared.add.u32, ld.acquire.cta.shared.u32, membar.cta"})
    void fencesThatAreMissing(String fence, String store, String load, String before) {
        for (long seed = 0; seed < 4; seed++) {
            DeviceFault fault = fault(checked().withSeed(seed), handOn(fence, store, load, before)
                    .replace("READER", "32"), 1, 64);
            Faults.assertFault(fault, Kind.SHARED_RACE, "ld.shared.u32 %r4", 0, 32);
            assertThat(fault).hasMessageContaining("was written by thread 0");
        }
    }

    /** A flag that is not strong is in a race itself, and what another store has put there since hands on nothing. */
    @Test
    void flagsThatAreNone() {
        DeviceFault weak = fault(checked(), handOn("membar.cta", "st.shared.u32", "ld.volatile.shared.u32", "membar.cta")
                .replace("READER", "32"), 1, 64);
        assertThat(weak.kind()).isEqualTo(Kind.SHARED_RACE);
        assertThat(weak).hasMessageContaining("shared byte 0 ").hasMessageContaining("ld.volatile.shared.u32");
        String again = handOn("membar.cta", "st.volatile.shared.u32", "ld.volatile.shared.u32", "membar.cta")
                .replace("READER", "32").replace("bra END;\nREAD", "st.shared.u32 [0], 2;\nbra END;\nREAD");
        assertThat(fault(checked(), again, 1, 64).kind()).isEqualTo(Kind.SHARED_RACE);
    }

    /** Lanes of a warp that trust in volatile alone hang on how they run. */
    @Test
    void volatileAmongLanes() {
        String body = """
                shl.b32 %r1, %r10, 2;
                xor.b32 %r2, %r1, DISTANCE;
                st.volatile.shared.u32 [%r1], %r1;
                FIRST
                ld.volatile.shared.u32 %r3, [%r2];
                """.replace("FIRST", "bar.warp.sync -1;");
        assertThat(fault(checked(), body.replace("DISTANCE", "4"), 1, 64)).isNull();
        DeviceFault fault = fault(checked(), body.replace("DISTANCE", "4").replace("bar.warp.sync -1;", ""), 1, 64);
        assertThat(fault.kind()).isEqualTo(Kind.SHARED_RACE);
        assertThat(fault).hasMessageContaining("with no bar.warp.sync or other barrier between");
    }

    /** The order of several threads, carried on by atomics on one place: the last to come has seen them all. */
    @ParameterizedTest
    @CsvSource({"atom.acq_rel.cta.shared.add.u32, true", "atom.shared.add.u32, false"})
    void theLastToCome(String atomic, boolean ordered) {
        DeviceFault fault = fault(checked(), """
                setp.eq.s32 %p1, %r10, 0;
                @%p1 st.shared.u32 [512], 0;
                bar.sync 0;
                shl.b32 %r1, %r10, 2;
                st.shared.u32 [%r1], %r1;
                ATOMIC %r3, [512], 1;
                setp.ne.s32 %p2, %r3, 63;
                @%p2 bra END;
                ld.shared.u32 %r4, [0];
                ld.shared.u32 %r4, [4];
                ld.shared.u32 %r4, [252];
                END:
                """.replace("ATOMIC", atomic), 1, 64);
        assertThat(fault == null).isEqualTo(ordered);
    }
}
