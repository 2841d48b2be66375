package jdiffusion.server.jobs;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Jobs that wait for a device. Clients take turns, whatever number of jobs each has; a client's own jobs keep their
 * order.
 */
final class JobQueue {
    /** Bytes of pictures that waiting jobs may hold. */
    private static final long MOST_BYTES = 512L << 20;

    private final int most;
    /** In the order of the turns. */
    private final LinkedHashMap<String, ArrayDeque<Job>> clients = new LinkedHashMap<>();
    private int size;
    private long bytes;

    /** @param most jobs that may wait */
    JobQueue(int most) {
        this.most = most;
    }

    synchronized int size() {
        return size;
    }

    /** False when there is no room. */
    synchronized boolean offer(Job job) {
        long more = job.prepared().bytes();
        if (size >= most || size > 0 && bytes + more > MOST_BYTES) {
            return false;
        }
        clients.computeIfAbsent(job.client(), _ -> new ArrayDeque<>()).add(job);
        size++;
        bytes += more;
        tellPlaces();
        notifyAll();
        return true;
    }

    /** The next job; null when none came in time. */
    synchronized Job poll(Duration time) throws InterruptedException {
        long deadline = System.nanoTime() + time.toNanos();
        while (size == 0) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return null;
            }
            wait(left);
        }
        Map.Entry<String, ArrayDeque<Job>> turn = clients.firstEntry();
        Job job = turn.getValue().poll();
        clients.remove(turn.getKey());
        if (!turn.getValue().isEmpty()) {
            clients.put(turn.getKey(), turn.getValue()); // behind the others
        }
        taken(job);
        return job;
    }

    /** Takes a job out; false when it is not there any more. */
    synchronized boolean remove(Job job) {
        ArrayDeque<Job> jobs = clients.get(job.client());
        if (jobs == null || !jobs.remove(job)) {
            return false;
        }
        if (jobs.isEmpty()) {
            clients.remove(job.client());
        }
        taken(job);
        return true;
    }

    private void taken(Job job) {
        size--;
        bytes -= job.prepared().bytes();
        tellPlaces();
    }

    /** All that wait, in the order in which they would be taken. */
    synchronized List<Job> inOrder() {
        List<Job> order = new ArrayList<>(size);
        Map<String, List<Job>> left = new HashMap<>();
        clients.forEach((client, jobs) -> left.put(client, new ArrayList<>(jobs)));
        for (int round = 0; order.size() < size; round++) {
            for (String client : clients.keySet()) {
                if (round < left.get(client).size()) {
                    order.add(left.get(client).get(round));
                }
            }
        }
        return order;
    }

    private void tellPlaces() {
        List<Job> order = inOrder();
        for (int i = 0; i < order.size(); i++) {
            if (order.get(i).place() != i + 1) {
                order.get(i).add(new JobEvent.Queued(i + 1));
            }
        }
    }
}
