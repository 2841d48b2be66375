package jdiffusion.emulator.exec;

import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * What is handed on at barriers in shared memory: those who wait for a phase to end have seen what everybody had done
 * who arrived in it, until they arrived, and what these had seen. What they do after that is in no order with it.
 */
final class Releases {
    private final Order order;
    /** What the arrivals of the present phase hand on, by the barrier's address; and all phases before it. */
    private final Map<Integer, int[]> arriving = new HashMap<>();
    /** The same of the last phase that has ended. */
    private final Map<Integer, int[]> ended = new HashMap<>();
    /** Accesses that made barriers, as {@link SharedChecker} notes them. */
    private final Map<Integer, Long> made = new HashMap<>();
    /** By the barrier's address the last access of each thread since it was made. */
    private final Map<Integer, long[]> uses = new HashMap<>();
    /** Places of barriers that were made invalid, and not made anew. */
    private final Set<Integer> invalid = new HashSet<>();

    Releases(Order order) {
        this.order = order;
    }

    void reset() {
        arriving.clear();
        ended.clear();
        made.clear();
        invalid.clear();
        uses.clear();
    }

    /** An access of a barrier by a thread. */
    void use(int at, int thread, long access) {
        uses.computeIfAbsent(at, _ -> new long[order.parties()])[thread] = access;
    }

    /** The last accesses of a barrier, by thread; 0 for none. */
    long[] uses(int at) {
        return uses.getOrDefault(at, new long[0]);
    }

    /** Whether a barrier was made at a place and then made invalid. */
    boolean isInvalid(int at) {
        return invalid.contains(at);
    }

    /** There is no barrier any more at a place. */
    void invalidate(int at) {
        made.remove(at);
        arriving.remove(at);
        ended.remove(at);
        uses.remove(at);
        invalid.add(at);
    }

    /** The access that made the barrier at a place; null where none is known. */
    Long made(int at) {
        return made.get(at);
    }

    /** The barrier at that place is made anew by an access. */
    void begin(int at, long access) {
        made.put(at, access);
        invalid.remove(at);
        uses.remove(at);
        arriving.remove(at);
        ended.remove(at);
    }

    void arrive(int at, int thread) {
        order.release(thread, arriving.computeIfAbsent(at, _ -> order.nothing()));
    }

    /** All have arrived. */
    void end(int at) {
        int[] all = arriving.get(at);
        if (all != null) {
            ended.put(at, all.clone());
        }
    }

    /** Copies to the block of a rank that a phase has counted are seen by who goes on after it, as of now. */
    void copied(int at, int rank) {
        int number = order.next();
        ended.computeIfAbsent(at, _ -> order.nothing())[order.copies(rank)] = number;
        arriving.computeIfAbsent(at, _ -> order.nothing())[order.copies(rank)] = number;
    }

    /** A thread goes on after a phase. */
    void pass(int at, int thread) {
        int[] all = ended.get(at);
        if (all != null) {
            order.acquire(thread, all);
        }
    }

    /** What threads hand on who arrive at a barrier and do not wait. */
    int[] of(BitSet threads) {
        int[] all = order.nothing();
        threads.stream().forEach(thread -> order.release(thread, all));
        return all;
    }

    /** Threads go on who have waited for what others handed on. */
    void pass(BitSet threads, int[] all) {
        threads.stream().forEach(thread -> order.acquire(thread, all));
    }
}
