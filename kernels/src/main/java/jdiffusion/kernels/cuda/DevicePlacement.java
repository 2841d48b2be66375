package jdiffusion.kernels.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.linear.AdapterForm;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;

/**
 * A component's tensors in one piece of device memory, as they are stored; only the weights of convolutions change
 * their order and type. What stays comes first. Where blocks are streamed, two slots follow: block i lies in slot
 * i mod 2 while it is needed, and is copied again each time.
 */
public final class DevicePlacement implements Placement {
    private static final long ALIGNMENT = 256;

    private final DeviceMemory memory;
    private final Transfers transfers;
    private final boolean streaming;
    private final Size size;
    private final AdapterForm adapters;
    private final long base;
    private final List<List<Copy>> blocks = new ArrayList<>();
    private final int[] inSlot = {NO_BLOCK, NO_BLOCK};
    private List<Copy> block;
    private long resident;
    private long inBlock;
    private long largestBlock;
    private long bytes;

    /** What a device does for a placement. A count of memory does nothing. */
    public interface Transfers {
        Transfers NONE = new Transfers() {
        };

        /** Queues a copy of host memory to the device, before all work that is queued later. */
        default void copyIn(MemorySegment host, long address) {
        }

        /**
         * Turns stored convolution weights, already on the device, into what the convolution reads.
         *
         * @param stored [cout, cin, k, k] of any floating-point type
         * @param placed [cout, cin, k, k], written
         */
        default void reorder(Tensor stored, Tensor placed) {
        }

        /**
         * Adds low-rank pairs to a matrix; all on the device.
         *
         * @param matrix of float32, float16 or bfloat16
         */
        default void merge(AdapterForm.Merge pairs, Tensor matrix) {
        }

        /** Queues the copies of a block beside other work, after what {@link #leave} marked. */
        default void fetch(int slot, List<Copy> copies) {
        }

        /** Work that is queued from now on waits for the copies to that slot. */
        default void enter(int slot) {
        }

        /** Work that is queued from now on does not read that slot. */
        default void leave(int slot) {
        }

        /** Ends all copies. */
        default void close() {
        }
    }

    /** A copy of host memory to an address of the device. */
    public record Copy(MemorySegment host, long address) {
    }

    private DevicePlacement(DeviceMemory memory, Transfers transfers, boolean streaming, Size size,
                            DType operandType) {
        this.memory = memory;
        this.transfers = transfers;
        this.streaming = streaming;
        this.size = size;
        this.adapters = new AdapterForm(operandType, transfers == Transfers.NONE);
        this.base = size == null || size.total() == 0 ? 0 : memory.allocate(size.total());
    }

    /**
     * Takes a device's memory, of the size that {@link #measuring} found.
     *
     * @param transfers   closed with the placement, or at once when there is too little memory
     * @param operandType what its products read
     */
    public static DevicePlacement of(Size size, DeviceMemory memory, Transfers transfers, DType operandType) {
        try {
            return new DevicePlacement(memory, transfers, size.streams(), size, operandType);
        } catch (RuntimeException e) {
            transfers.close();
            throw e;
        }
    }

    /** Takes no memory, and finds out how much is needed. */
    public static DevicePlacement measuring(boolean streaming, DeviceMemory memory, DType operandType) {
        return new DevicePlacement(memory, Transfers.NONE, streaming, null, operandType);
    }

    @Override
    public Tensor tensor(Tensor stored) {
        if (!stored.isContiguous()) {
            throw new IllegalArgumentException("placing " + stored + ", which has gaps between rows");
        }
        long address = take(stored.byteSize());
        MemorySegment host = stored.data().asSlice(0, stored.byteSize());
        if (block != null) {
            block.add(new Copy(host, address));
        } else {
            transfers.copyIn(host, address);
        }
        return at(address, stored.type(), stored);
    }

    /** Adapters are merged with the matrices that stay and are not quantised, and lie beside the others. */
    @Override
    public Weight weight(Weight stored) {
        return placed(adapters.of(stored, block == null));
    }

    private Weight placed(Weight form) {
        return switch (form) {
            case Weight.Rows(List<Weight> parts) -> new Weight.Rows(parts.stream().map(this::placed).toList());
            case Weight.Adapted adapted when block == null && AdapterForm.isMerged(adapted.base()) -> merged(adapted);
            default -> form.place(this::tensor);
        };
    }

    private Weight merged(Weight.Adapted adapted) {
        Tensor matrix = tensor(((Weight.Dense) adapted.base()).tensor());
        AdapterForm.Merge pairs = adapters.merge(adapted);
        long left = aligned(pairs.left().byteSize());
        long at = memory.scratch(left + pairs.right().byteSize());
        transfers.merge(new AdapterForm.Merge(copied(pairs.left(), at), copied(pairs.right(), at + left)), matrix);
        return Weight.of(matrix);
    }

    private Tensor copied(Tensor host, long address) {
        transfers.copyIn(host.data().asSlice(0, host.byteSize()), address);
        return at(address, host.type(), host);
    }

    @Override
    public Tensor kernels(Tensor stored) {
        if (block != null || !stored.isContiguous()) {
            throw new IllegalArgumentException("placing convolution weights " + stored
                    + (block != null ? " in a streamed block" : ", which have gaps between rows"));
        }
        Tensor copy = copied(stored, memory.scratch(stored.byteSize()));
        Tensor placed = at(take(stored.shape().size() * DType.BF16.bytes()), DType.BF16, stored);
        transfers.reorder(copy, placed);
        return placed;
    }

    private static Tensor at(long address, DType type, Tensor like) {
        return Tensor.of(Unreadable.at(address, like.shape().size() * type.bytes()), type, like.shape());
    }

    private static long aligned(long count) {
        return Math.ceilDiv(count, ALIGNMENT) * ALIGNMENT;
    }

    private long take(long count) {
        long rounded = aligned(Math.max(1, count));
        boolean within = block != null;
        long offset = within ? inBlock : resident;
        if (size != null && offset + rounded > (within ? size.slots() : size.resident())) {
            throw new IllegalStateException("weights take more memory than the " + size + " that were counted");
        }
        bytes += rounded;
        if (!within) {
            resident += rounded;
            return base + offset;
        }
        inBlock += rounded;
        return size == null ? offset : base + size.resident() + (blocks.size() - 1) % 2 * size.slots() + offset;
    }

    @Override
    public int beginBlock() {
        if (!streaming) {
            return NO_BLOCK;
        }
        block = new ArrayList<>();
        blocks.add(block);
        inBlock = 0;
        return blocks.size() - 1;
    }

    @Override
    public void endBlock() {
        block = null;
        largestBlock = Math.max(largestBlock, inBlock);
    }

    @Override
    public void enter(int number) {
        if (number != NO_BLOCK) {
            fetch(number);
            transfers.enter(number % 2);
        }
    }

    @Override
    public void leave(int number, int next) {
        if (number != NO_BLOCK) {
            transfers.leave(number % 2);
            if (next != NO_BLOCK) {
                fetch(next);
            }
        }
    }

    private void fetch(int number) {
        int slot = number % 2;
        if (inSlot[slot] != number) {
            inSlot[slot] = number;
            transfers.fetch(slot, blocks.get(number));
        }
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public Size size() {
        return new Size(resident, largestBlock);
    }

    @Override
    public void close() {
        transfers.close();
        if (base != 0) {
            memory.free(base);
        }
    }
}
