package jdiffusion.batch;

/** A picture of a row that can be drawn, with everything settled that fixes its bytes. */
public interface Planned {
    /** The first 32 hexadecimal digits of the SHA-256 of all that; the picture's name wherever it lies. */
    String name();

    /** Of its file, with the dot. */
    String ending();

    /** As drawn, with all alternatives chosen. */
    String prompt();

    /** 64 bits without a sign. */
    long seed();

    /** Of what comes out. */
    int width();

    int height();
}
