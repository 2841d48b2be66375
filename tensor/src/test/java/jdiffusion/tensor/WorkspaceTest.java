package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class WorkspaceTest {
    @Test
    void newMemoryIsZeroAlignedAndApart() {
        try (Workspace workspace = Workspace.onHost(1 << 16)) {
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
        try (Workspace workspace = Workspace.onHost(1 << 16)) {
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
        try (Workspace counting = Workspace.counting(DType.F32, DType.F32)) {
            round(counting);
            assertThat(counting.used()).isZero();
            try (Workspace workspace = Workspace.onHost(counting.peak())) {
                for (int i = 0; i < 1000; i++) {
                    round(workspace);
                }
                assertThat(workspace.peak()).isEqualTo(counting.peak());
            }
            try (Workspace workspace = Workspace.onHost(counting.peak() - 64)) {
                assertThatThrownBy(() -> round(workspace)).isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("than it was counted to need");
            }
        }
    }

    private static void round(Workspace workspace) {
        try (Workspace.Scope _ = workspace.scope()) {
            workspace.f32(7_001);
            workspace.f32(5_003);
            try (Workspace.Scope _ = workspace.scope()) {
                workspace.f32(3, 6_001);
            }
            workspace.f32(9_001);
        }
    }

    @Test
    void countsWithoutMemory() {
        try (Workspace counting = Workspace.counting(DType.BF16, DType.BF16)) {
            Tensor large = counting.operand(1 << 30, 1 << 20);
            assertThat(large.type()).isEqualTo(DType.BF16);
            assertThat(counting.peak()).isEqualTo(1L << 51);
            assertThatThrownBy(() -> large.get(0, 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void operandsHaveTheTypesGiven() {
        try (Workspace workspace = Workspace.onHost(1 << 10, (bytes, arena) -> arena.allocate(bytes, 64), () -> { },
                DType.BF16, DType.F32)) {
            assertThat(workspace.operand(3).type()).isEqualTo(DType.BF16);
            assertThat(workspace.operand(3).data().byteSize()).isEqualTo(6);
            assertThat(workspace.wideOperand(3).type()).isEqualTo(DType.F32);
            assertThat(workspace.wideOperandType()).isEqualTo(DType.F32);
        }
        try (Workspace workspace = Workspace.onHost(1 << 10)) {
            assertThat(workspace.operand(3).type()).isEqualTo(DType.F32);
            assertThat(workspace.wideOperand(3).type()).isEqualTo(DType.F32);
        }
    }

    @Test
    void saysWhenThereIsNoMemory() {
        assertThatThrownBy(() -> Workspace.onHost(1L << 52)).isInstanceOf(InputException.class)
                .hasMessageContaining("out of memory: 4294967296 MiB are needed");
    }

    @Test
    void tensorsDieWithTheWorkspace() {
        Tensor tensor;
        try (Workspace workspace = Workspace.onHost(1 << 16)) {
            tensor = workspace.f32(4);
        }
        assertThatThrownBy(() -> tensor.get(0, 0)).isInstanceOf(IllegalStateException.class);
    }
}
