package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import jdiffusion.emulator.Banks;
import jdiffusion.emulator.SharedRequest;
import org.junit.jupiter.api.Test;

/** Layouts that mend bank conflicts. */
class BankRemedyTest {
    private static SharedRequest request(int bytes, IntToLongFunction address) {
        long[] addresses = IntStream.range(0, 32).mapToLong(address::applyAsLong).toArray();
        return new SharedRequest(addresses, -1, bytes, new Banks().conflicts(addresses, -1, bytes));
    }

    /** ldmatrix of rows of 64 bytes: pieces of 16 bytes stay whole and aligned. */
    @Test
    void rowsOfWidePiecesArePaddedByWholePieces() {
        SharedRequest worst = request(16, lane -> 1024 + 64L * (lane % 8) + 16 * (lane / 8));
        assertThat(worst.conflicts()).isEqualTo(4 * 3);
        List<BankRemedy> remedies = BankRemedy.of(worst, List.of(request(16, lane -> 1024 + 16L * lane)), 1024);
        assertThat(remedies).hasSize(2);
        for (BankRemedy remedy : remedies) {
            assertThat(remedy.conflicts()).isZero();
            assertThat(remedy.others()).isZero();
            assertThat(LongStream.of(BankRemedy.placed(worst, remedy.place()))).allMatch(at -> at % 16 == 0);
        }
        assertThat(remedies.getLast().text()).contains("pieces of 16 bytes", "r >> 1 & 3");
    }

    /** Four words of a lane, stored one by one and read together: no padding by whole pieces can help the stores. */
    @Test
    void neighbouringWordsAreTakenTogether() {
        SharedRequest worst = request(4, lane -> 16L * lane + 8);
        assertThat(worst.conflicts()).isEqualTo(3);
        List<BankRemedy> remedies = BankRemedy.of(worst, List.of(request(16, lane -> 16L * lane)), 0);
        assertThat(remedies).hasSize(1);
        assertThat(remedies.getFirst().text()).contains("float4");
        assertThat(remedies.getFirst().bytes()).isEqualTo(16);
        assertThat(remedies.getFirst().conflicts()).isZero();
    }

    @Test
    void strideOfTwoIsMendedAcrossRoundsOfBanks() {
        SharedRequest worst = request(4, lane -> 8L * lane);
        assertThat(worst.conflicts()).isOne();
        assertThat(BankRemedy.of(worst, List.of(), 0).getFirst().conflicts()).isZero();
    }

    /** What mends one instruction and spoils another as much is no remedy; nor is there one for random places. */
    @Test
    void whereNothingHelpsNothingIsSaid() {
        SharedRequest same = request(4, lane -> 128L * lane);
        SharedRequest spoiled = request(4, lane -> 128L * lane + 4 * (lane & 31));
        for (BankRemedy remedy : BankRemedy.of(same, List.of(spoiled), 0)) {
            assertThat(remedy.conflicts() + remedy.others()).isLessThan(same.conflicts());
        }
        var random = new SplittableRandom(1);
        int[] bins = IntStream.range(0, 32).map(_ -> random.nextInt(2) * 32).toArray();
        SharedRequest two = request(4, lane -> 4L * bins[lane]);
        assertThat(two.conflicts()).isOne();
        assertThat(BankRemedy.of(two, List.of(request(4, lane -> 4L * (31 - lane) * 33)), 0))
                .allMatch(remedy -> remedy.conflicts() == 0);
        SharedRequest none = request(4, lane -> 4L * lane);
        assertThat(BankRemedy.of(none, List.of(), 0)).isEmpty();
    }

    /** A layout moves every word to a place of its own. */
    @Test
    void layoutsLoseNoWord() {
        SharedRequest worst = request(4, lane -> 256L * lane);
        for (BankRemedy remedy : BankRemedy.of(worst, List.of(), 0)) {
            assertThat(IntStream.range(0, 4096).mapToLong(i -> remedy.place().applyAsLong(4L * i)).distinct().count())
                    .isEqualTo(4096);
        }
    }
}
