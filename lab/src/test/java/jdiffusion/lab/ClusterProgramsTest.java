package jdiffusion.lab;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.lab.ProgramsTest.Case;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Programs for clusters of blocks, by cooperative groups and cuda::ptx, compiled by nvcc, against results of the host.
 */
class ClusterProgramsTest {
    private static final String MULTICAST = "cluster_multicast<<<8,256>>>(in:x=rand(7x256,i32), y=zeros(8x256,i32), 7)";

    private static final String REDUCTIONS =
        "cluster_reductions<<<8,64>>>(in:d=rand(512,i32), bins=zeros(32,i32), sums=range(64))";

    static Stream<Case> programs() {
        return Stream.of(
            histogram("cluster=2"), histogram("cluster=4"), histogram("cluster=(1,1)"),
            ProgramsTest.of("cluster_reduce", "cluster_reduce<<<8,128>>>(in:x=rand(8x333), s=zeros(2), 333)", "s", 1e-4,
                b -> i -> ProgramsTest.sum(b.get("x"), i * 4 * 333, (i + 1) * 4 * 333)),
            ProgramsTest.of("cluster_shape", "cluster_shape<<<(4,2),32>>>(y=zeros(8x32,i32))", "y", 0, _ -> i -> {
                int block = (int) i / 32;
                int rank = block % 4 % 2 + 2 * (block / 4);
                int first = (rank + 2) % 4;
                return first % 2 + 10 * (first / 2) + 2200 + 10000 * first + 100000 * (i % 32) + 2 + rank + (rank + 1) % 4;
            }),
            ProgramsTest.of("cluster_stores", "cluster_stores<<<6,64>>>(in:x=rand(6x64,i32), y=zeros(6x64,i32))", "y", 0,
                b -> i -> 2 * b.get("x").get(i) + i % 64),
            ProgramsTest.of("cluster_reductions", REDUCTIONS, "bins", 0, b -> i -> IntStream.range(0, 512).filter(
                k -> (long) b.get("d").get(k) % 32 == i).count()),
            ProgramsTest.of("cluster_reductions", REDUCTIONS, "sums", 0, b -> i -> IntStream.range(0, 8).mapToDouble(
                k -> b.get("d").get(k * 64 + i)).sum() + i),
            ProgramsTest.of("cluster_multicast", MULTICAST, "y", 0, b -> i -> IntStream.range(0, 7).mapToDouble(
                tile -> b.get("x").get(tile * 256 + i % 256) * (i / 256 + 1) + b.get("x").get(tile * 256 + 255 - i % 256))
                .sum()));
    }

    /** 96 bins, in parts that lie in the blocks of a cluster; each cluster adds what it has counted. */
    private static Case histogram(String cluster) {
        int blocks = cluster.equals("cluster=2") ? 2 : cluster.equals("cluster=4") ? 4 : 1;
        return ProgramsTest.of("cluster_histogram", "cluster_histogram<<<8,64,%d,%s>>>(in:d=rand(1000,u32), b=zeros(96,i32),"
            .formatted(96 / blocks * 4, cluster) + " 1000, %d)".formatted(96 / blocks), "b", 0,
            b -> i -> IntStream.range(0, 1000).filter(k -> b.get("d").get(k) % 96 == i).count());
    }

    @ParameterizedTest
    @MethodSource("programs")
    void givesWhatTheHostComputes(Case program) throws IOException {
        ProgramsTest.check(program);
    }

    @Test
    void launchesThatDoNotFitTheClusters() throws IOException {
        try (Session session = ProgramsTest.session("cluster_multicast")) {
            assertThatThrownBy(() -> session.run(LaunchParser.parse(MULTICAST.replace("<<<8", "<<<6"))))
                .hasMessageContaining("a grid of (6, 1, 1) blocks, which is no multiple of its clusters of (4, 1, 1)");
        }
        try (Session session = ProgramsTest.session("cluster_reduce")) {
            assertThatThrownBy(() -> session.run(LaunchParser.parse(
                "cluster_reduce<<<8,128,0,cluster=2>>>(in:x=rand(8x333), s=zeros(2), 333)")))
                .hasMessageContaining("the kernel is compiled for clusters of (4, 1, 1)");
        }
        assertThatThrownBy(() -> LaunchParser.parse("k<<<8,128,cluster=0>>>()")).hasMessageContaining("'0' in '0'");
    }
}
