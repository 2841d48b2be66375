package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class WorkspaceTest {
    @Test
    void newMemoryIsZeroAlignedAndApart() {
        try (Workspace workspace = Workspace.onHost()) {
            Tensor first = workspace.f32(3, 5);
            Tensor second = workspace.allocate(DType.BF16, 7);
            Tensor none = workspace.f32(0, 4);
            Tensor third = workspace.allocate(DType.U8, 1);
            assertThat(first.toArray()).containsOnly(0);
            assertThat(first.data().byteSize()).isEqualTo(60);
            assertThat(none.data().byteSize()).isZero();
            for (Tensor tensor : new Tensor[] {first, second, none, third}) {
                assertThat(tensor.data().address() % 64).isZero();
            }
            assertThat(second.data().address()).isGreaterThanOrEqualTo(first.data().address() + 60);
            assertThat(third.data().address()).isGreaterThanOrEqualTo(second.data().address() + 14);
            assertThat(workspace.used()).isEqualTo(4 * 64);
        }
    }

    @Test
    void scopesGiveBackMemory() {
        try (Workspace workspace = Workspace.onHost()) {
            workspace.f32(16);
            long address;
            try (Workspace.Scope _ = workspace.scope()) {
                Tensor one = workspace.f32(100);
                address = one.data().address();
                try (Workspace.Scope _ = workspace.scope()) {
                    assertThat(workspace.f32(1000).data().address()).isGreaterThan(address);
                    assertThat(workspace.used()).isEqualTo(64 + 448 + 4032);
                }
                assertThat(workspace.used()).isEqualTo(64 + 448);
            }
            assertThat(workspace.used()).isEqualTo(64);
            assertThat(workspace.peak()).isEqualTo(64 + 448 + 4032);
            assertThat(workspace.f32(100).data().address()).isEqualTo(address);
        }
    }

    @Test
    void aRepeatedRoundTakesNoMoreMemory() {
        try (Workspace workspace = Workspace.onHost()) {
            long afterFirst = 0;
            for (int round = 0; round < 1000; round++) {
                try (Workspace.Scope _ = workspace.scope()) {
                    // Sizes that fit no slab evenly, one larger than the first slab.
                    workspace.f32(700_001);
                    workspace.f32(500_003);
                    try (Workspace.Scope _ = workspace.scope()) {
                        workspace.f32(3, 600_001);
                    }
                    workspace.f32(900_001);
                }
                if (round == 0) {
                    afterFirst = workspace.reserved();
                }
            }
            assertThat(workspace.reserved()).isEqualTo(afterFirst).isLessThan(32 << 20);
            assertThat(workspace.used()).isZero();
        }
    }

    @Test
    void growsByLargeStepsAndForLargeTensors() {
        try (Workspace workspace = Workspace.onHost()) {
            assertThat(workspace.reserved()).isZero();
            Tensor small = workspace.f32(1);
            assertThat(workspace.reserved()).isEqualTo(4 << 20);
            Tensor large = workspace.f32(5 << 20);
            assertThat(large.data().byteSize()).isEqualTo(20 << 20);
            assertThat(workspace.reserved()).isEqualTo(24 << 20);
            small.set(0, 0, 7);
            large.set(0, (5 << 20) - 1, 8);
            assertThat(small.get(0, 0)).isEqualTo(7);
            assertThat(workspace.peak()).isEqualTo((20 << 20) + 64);
        }
    }

    @Test
    void saysWhenThereIsNoMemory() {
        try (Workspace workspace = Workspace.onHost()) {
            assertThatThrownBy(() -> workspace.f32(1 << 30, 1 << 20)).isInstanceOf(InputException.class)
                    .hasMessageContaining("out of memory: 4294967296 MiB more");
            assertThat(workspace.f32(4).toArray()).containsOnly(0);
        }
    }

    @Test
    void tensorsDieWithTheWorkspace() {
        Tensor tensor;
        try (Workspace workspace = Workspace.onHost()) {
            tensor = workspace.f32(4);
        }
        assertThatThrownBy(() -> tensor.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }
}
