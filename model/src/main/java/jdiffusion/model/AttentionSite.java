package jdiffusion.model;

/**
 * An attention of a denoiser, that can be looked at and changed.
 *
 * @param name    below the block, such as {@code attn}; with the block's before it {@code block.12.attn}
 * @param streams that attend, in their order: keys and queries are numbered so
 */
public record AttentionSite(String name, Streams streams) {
    /** The streams of an attention. */
    public enum Streams {
        /** Two, the image first. */
        IMAGE_TEXT,
        /** Two, the text first. */
        TEXT_IMAGE,
        /** One, which has the text's tokens and then the image's. */
        JOINED,
        /** The image alone. */
        IMAGE,
        /** The image asks, the text is asked. */
        CROSS
    }

    public static final AttentionSite IMAGE_FIRST = new AttentionSite("attn", Streams.IMAGE_TEXT);
    public static final AttentionSite TEXT_FIRST = new AttentionSite("attn", Streams.TEXT_IMAGE);
    public static final AttentionSite JOINED = new AttentionSite("attn", Streams.JOINED);
    public static final AttentionSite SELF = new AttentionSite("attn", Streams.IMAGE);
    public static final AttentionSite DUAL = new AttentionSite("dual", Streams.IMAGE);
    public static final AttentionSite CROSS = new AttentionSite("cross", Streams.CROSS);

    /** The same below a part of the network. */
    AttentionSite below(String part) {
        return new AttentionSite(part + "." + name, streams);
    }
}
