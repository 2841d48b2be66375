package jdiffusion.model.sites;

import java.util.List;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.AttentionSite;

/**
 * An attention of a run's denoiser. Keys and queries are each numbered through its streams.
 *
 * @param name    such as {@code block.12.attn}
 * @param streams that attend
 * @param heads   of it
 * @param headDim channels of a head
 * @param queries of each stream
 * @param keys    of each stream
 */
public record Attention(String name, AttentionSite.Streams streams, int heads, int headDim, List<Integer> queries,
                        List<Integer> keys) {
    static Attention of(AttentionSite site, AttentionShape shape, List<AttentionStream> streams) {
        return new Attention(site.name(), site.streams(), shape.heads(), shape.headDim(),
                streams.stream().map(AttentionStream::queries).toList(),
                streams.stream().map(AttentionStream::keys).toList());
    }

    /** What it is a part of. */
    public String block() {
        return name.substring(0, name.lastIndexOf('.'));
    }

    public int queryCount() {
        return queries.stream().mapToInt(Integer::intValue).sum();
    }

    public int keyCount() {
        return keys.stream().mapToInt(Integer::intValue).sum();
    }

    /** Whether text is among its keys. */
    public boolean hasText() {
        return streams != AttentionSite.Streams.IMAGE;
    }

    /**
     * Keys that are text's, [first, end); both 0 for none.
     *
     * @param joined rows of text in a stream of text and image
     */
    int[] textKeys(int joined) {
        return switch (streams) {
            case IMAGE_TEXT, CROSS -> new int[] {keys.get(0), keys.get(0) + keys.get(1)};
            case TEXT_IMAGE -> new int[] {0, keys.get(0)};
            case JOINED -> new int[] {0, joined};
            case IMAGE -> new int[2];
        };
    }

    /** Queries that are the image's, [first, end). */
    int[] imageQueries(int joined) {
        return switch (streams) {
            case IMAGE_TEXT, CROSS, IMAGE -> new int[] {0, queries.get(0)};
            case TEXT_IMAGE -> new int[] {queries.get(0), queryCount()};
            case JOINED -> new int[] {joined, queryCount()};
        };
    }

    /** Keys that are the image's, [first, end). */
    int[] imageKeys(int joined) {
        return switch (streams) {
            case IMAGE_TEXT, IMAGE -> new int[] {0, keys.get(0)};
            case TEXT_IMAGE -> new int[] {keys.get(0), keyCount()};
            case JOINED -> new int[] {joined, keyCount()};
            case CROSS -> new int[2];
        };
    }
}
