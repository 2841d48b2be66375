package jdiffusion.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.LongConsumer;

/** Writes tensors to a channel one after the other, in constant memory: all cores make pieces, one thread writes. */
public final class ContentWriter {
    private static final int PIECES_PER_THREAD = 3;

    private ContentWriter() {
    }

    /** A tensor's bytes, and its name for the message when they cannot be written. */
    public record Part(String name, Content content) {
    }

    /** A piece on its way; its memory is free again once it is written. */
    private record Piece(String name, MemorySegment memory, MemorySegment filled, CompletableFuture<Void> made) {
    }

    /**
     * @param written told how many bytes have been written since the last call
     * @throws IOException that names the tensor
     */
    public static void write(FileChannel channel, List<Part> parts, LongConsumer written) throws IOException {
        if (parts.isEmpty()) {
            return;
        }
        int threads = Runtime.getRuntime().availableProcessors();
        long largest = parts.stream()
                .mapToLong(part -> Math.min(part.content.pieceSize(), part.content.byteSize())).max().orElse(0);
        // The arena closes after the threads have ended.
        try (Arena arena = Arena.ofShared();
                ExecutorService makers = Executors.newFixedThreadPool(threads,
                        Thread.ofPlatform().daemon().name("jdiffusion-writer-", 0).factory())) {
            Queue<Piece> pending = new ArrayDeque<>();
            Queue<MemorySegment> free = new ArrayDeque<>();
            for (int i = 0; i < PIECES_PER_THREAD * threads; i++) {
                free.add(arena.allocate(largest, Long.BYTES));
            }
            Iterator<Part> rest = parts.iterator();
            Part part = null;
            long offset = 0;
            while (true) {
                while (!free.isEmpty() && (part != null || rest.hasNext())) {
                    if (part == null) {
                        part = rest.next();
                        offset = 0;
                    }
                    long size = Math.min(part.content.pieceSize(), part.content.byteSize() - offset);
                    if (size > 0) {
                        pending.add(start(part, offset, size, free.remove(), makers));
                        offset += size;
                    }
                    if (offset == part.content.byteSize()) {
                        part = null;
                    }
                }
                if (pending.isEmpty()) {
                    return;
                }
                Piece piece = pending.remove();
                finish(piece, channel);
                free.add(piece.memory);
                written.accept(piece.filled.byteSize());
            }
        }
    }

    private static Piece start(Part part, long offset, long size, MemorySegment memory, ExecutorService makers) {
        MemorySegment filled = memory.asSlice(0, size);
        return new Piece(part.name, memory, filled,
                CompletableFuture.runAsync(() -> part.content.read(offset, filled), makers));
    }

    private static void finish(Piece piece, FileChannel channel) throws IOException {
        try {
            piece.made.join();
            OutputFile.put(channel, piece.filled.asByteBuffer());
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case RuntimeException cause -> throw cause;
                case Error cause -> throw cause;
                default -> throw e;
            }
        } catch (IOException e) {
            throw new IOException(e.getMessage() + ", at tensor " + InputException.shown(piece.name), e);
        }
    }
}
