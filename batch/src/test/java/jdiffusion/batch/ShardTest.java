package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardTest {
    @Test
    void everyRowIsInOneShard() {
        for (int of = 1; of <= 7; of++) {
            for (long number = 0; number < 50; number++) {
                int in = 0;
                for (int index = 0; index < of; index++) {
                    in += new Shard(index, of).has(new Row(number, number, null, null)) ? 1 : 0;
                }
                assertThat(in).isEqualTo(1);
            }
        }
    }

    @Test
    void kubernetesAndSlurm() {
        assertThat(Shard.of("3/16", Map.of())).isEqualTo(new Shard(3, 16));
        assertThat(Shard.of("auto/4", Map.of("JOB_COMPLETION_INDEX", "2"))).isEqualTo(new Shard(2, 4));
        assertThat(Shard.of("auto/4", Map.of("SLURM_ARRAY_TASK_ID", "4", "SLURM_ARRAY_TASK_MIN", "1")))
                .isEqualTo(new Shard(3, 4));
        assertThat(Shard.of("AUTO/4", Map.of("SLURM_ARRAY_TASK_ID", "0"))).isEqualTo(new Shard(0, 4));
        assertThatThrownBy(() -> Shard.of("auto/4", Map.of())).isInstanceOf(InputException.class)
                .hasMessageContaining("JOB_COMPLETION_INDEX");
        assertThatThrownBy(() -> Shard.of("auto/4", Map.of("JOB_COMPLETION_INDEX", "x")))
                .hasMessageContaining("'x', which is no number");
        assertThatThrownBy(() -> Shard.of("auto/4", Map.of("JOB_COMPLETION_INDEX", "4")))
                .hasMessageContaining("there is no shard 4 of 4");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "3", "3/", "/3", "16/16", "-1/4", "0/0", "a/4", "1/99999999999"})
    void noShards(String text) {
        assertThatThrownBy(() -> Shard.of(text, Map.of())).isInstanceOf(InputException.class);
    }
}
