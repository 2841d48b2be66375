package jdiffusion.model.family;

/** A width and a height in pixels. */
public record PixelSize(int width, int height) {
    @Override
    public String toString() {
        return width + "x" + height;
    }
}
