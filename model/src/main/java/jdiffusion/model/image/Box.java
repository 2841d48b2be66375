package jdiffusion.model.image;

/** A part of a picture: its left upper corner and its size, in pixels. */
public record Box(int x, int y, int width, int height) {
    /** All of a picture. */
    public static Box whole(int width, int height) {
        return new Box(0, 0, width, height);
    }

    /** Larger by so many pixels on each side, as far as the picture goes. */
    public Box padded(int by, int pictureWidth, int pictureHeight) {
        int left = (int) Math.max(0, (long) x - by);
        int top = (int) Math.max(0, (long) y - by);
        int right = (int) Math.min(pictureWidth, (long) x + width + by);
        int bottom = (int) Math.min(pictureHeight, (long) y + height + by);
        return new Box(left, top, right - left, bottom - top);
    }

    /**
     * Extended on two sides to the shape of a size, as far as the picture goes: around its middle where there is room,
     * else to the other side.
     */
    public Box shaped(int likeWidth, int likeHeight, int pictureWidth, int pictureHeight) {
        if ((long) width * likeHeight > (long) height * likeWidth) {
            int wanted = Math.clamp((long) width * likeHeight / likeWidth, height, pictureHeight);
            return new Box(x, start(y, height, wanted, pictureHeight), width, wanted);
        }
        int wanted = Math.clamp((long) height * likeWidth / likeHeight, width, pictureWidth);
        return new Box(start(x, width, wanted, pictureWidth), y, wanted, height);
    }

    private static int start(int from, int size, int wanted, int all) {
        return Math.clamp(from - (wanted - size) / 2, 0, all - wanted);
    }
}
