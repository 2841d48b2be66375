package jdiffusion.server.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.server.TestServer;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;

class JobQueueTest {
    private static final GenerationRequest REQUEST = Pipeline.open(TestServer.SHAPES,
            CountingBackend.ofCpu(Precision.F32, DType.F32)).request("");
    private static final Duration NOW = Duration.ZERO;

    private static Job job(String client, String id) {
        return new Job(id, client, new PreparedRequest(null, REQUEST, List.of(), ControlInput.none(null), id,
                InputPictures.NONE, List.of()), false, true, Set.of(), _ -> { });
    }

    private static List<String> drained(JobQueue queue) throws InterruptedException {
        List<String> ids = new ArrayList<>();
        for (Job job = queue.poll(NOW); job != null; job = queue.poll(NOW)) {
            ids.add(job.id());
        }
        return ids;
    }

    @Test
    void clientsTakeTurns() throws InterruptedException {
        JobQueue queue = new JobQueue(10);
        for (String id : List.of("a1", "a2", "a3", "b1", "c1", "b2")) {
            assertThat(queue.offer(job(id.substring(0, 1), id))).isTrue();
        }
        List<String> announced = queue.inOrder().stream().map(Job::id).toList();
        assertThat(announced).containsExactly("a1", "b1", "c1", "a2", "b2", "a3");
        assertThat(queue.inOrder().stream().map(Job::place)).containsExactly(1, 2, 3, 4, 5, 6);
        assertThat(drained(queue)).isEqualTo(announced);
        assertThat(queue.size()).isZero();
    }

    @Test
    void aNewClientNeedNotWaitForAllOfAnothersJobs() throws InterruptedException {
        JobQueue queue = new JobQueue(10);
        for (int i = 1; i <= 4; i++) {
            queue.offer(job("a", "a" + i));
        }
        assertThat(queue.poll(NOW).id()).isEqualTo("a1");
        Job late = job("b", "b1");
        queue.offer(late);
        assertThat(late.place()).isEqualTo(2);
        assertThat(drained(queue)).containsExactly("a2", "b1", "a3", "a4");
    }

    @Test
    void whatIsRemovedMakesRoomAndPlacesMoveUp() {
        JobQueue queue = new JobQueue(2);
        Job first = job("a", "a1");
        Job second = job("a", "a2");
        assertThat(queue.offer(first)).isTrue();
        assertThat(queue.offer(second)).isTrue();
        assertThat(queue.offer(job("b", "b1"))).isFalse();
        assertThat(queue.remove(first)).isTrue();
        assertThat(queue.remove(first)).isFalse();
        assertThat(second.place()).isEqualTo(1);
        assertThat(queue.offer(job("b", "b1"))).isTrue();
    }
}
