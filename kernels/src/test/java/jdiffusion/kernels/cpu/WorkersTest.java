package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
    /** Only threads that wait for each other for ever take so long, on however slow a machine. */
    private static final Duration LONG = Duration.ofMinutes(10);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void everyItemIsDoneOnceByAWorkerOfTheTeam(int count) {
        try (Workers workers = new Workers(count)) {
            assertThat(workers.count()).isEqualTo(count);
            for (int items : new int[] {0, 1, 2, 3, count, count + 1, 1000}) {
                AtomicIntegerArray done = new AtomicIntegerArray(items);
                AtomicInteger strangers = new AtomicInteger();
                workers.run(items, (item, worker) -> {
                    done.incrementAndGet(item);
                    if (worker < 0 || worker >= count) {
                        strangers.incrementAndGet();
                    }
                });
                for (int i = 0; i < items; i++) {
                    assertThat(done.get(i)).as("item %d of %d", i, items).isEqualTo(1);
                }
                assertThat(strangers).hasValue(0);
            }
        }
    }

    /** Rounds so short that some threads find nothing left, and pauses so long that others have gone to sleep. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void manyQuickRoundsLoseNothing(int count) {
        Assertions.assertTimeoutPreemptively(LONG, () -> {
            try (Workers workers = new Workers(count)) {
                long[] sums = new long[count * 16];
                long want = 0;
                for (int round = 0; round < 3000; round++) {
                    int items = round % 7;
                    workers.run(items, (item, worker) -> sums[worker * 16] += item + 1);
                    want += items * (items + 1) / 2;
                    if (round % 500 == 499) {
                        Thread.sleep(5);
                    }
                }
                long sum = 0;
                for (long part : sums) {
                    sum += part;
                }
                assertThat(sum).isEqualTo(want);
            }
        });
    }

    /** The caller waits for an item that only another thread can let go on, so two threads must be at work. */
    @Test
    void itemsRunAtTheSameTime() {
        Assertions.assertTimeoutPreemptively(LONG, () -> {
            try (Workers workers = new Workers(2)) {
                AtomicInteger arrived = new AtomicInteger();
                workers.run(2, (item, worker) -> {
                    arrived.incrementAndGet();
                    while (arrived.get() < 2) {
                        Thread.onSpinWait();
                    }
                });
                assertThat(arrived).hasValue(2);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void aFailureReachesTheCallerAndTheTeamGoesOn(int count) {
        Assertions.assertTimeoutPreemptively(LONG, () -> {
            try (Workers workers = new Workers(count)) {
                for (int failing : new int[] {0, 7, 99}) {
                    RuntimeException problem = new IllegalStateException("item " + failing);
                    assertThatThrownBy(() -> workers.run(100, (item, worker) -> {
                        if (item == failing) {
                            throw problem;
                        }
                    })).isSameAs(problem);
                    AssertionError error = new AssertionError("an error is passed on as well");
                    assertThatThrownBy(() -> workers.run(100, (item, worker) -> {
                        throw error;
                    })).isSameAs(error);
                    AtomicInteger done = new AtomicInteger();
                    workers.run(100, (item, worker) -> done.incrementAndGet());
                    assertThat(done).hasValue(100);
                }
            }
        });
    }

    @Test
    void whatItemsWroteIsSeenByTheCaller() {
        try (Workers workers = new Workers(4)) {
            int[] plain = new int[10_000];
            for (int round = 1; round <= 20; round++) {
                int mark = round;
                workers.run(plain.length, (item, worker) -> plain[item] = mark);
                assertThat(plain).containsOnly(mark);
            }
        }
    }

    @Test
    void misuseIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Workers(0).close()).withMessageContaining("0");
        Workers workers = new Workers(2);
        workers.close();
        assertThatIllegalStateException().isThrownBy(() -> workers.run(3, (item, worker) -> { }))
                .withMessageContaining("closed");
    }
}
