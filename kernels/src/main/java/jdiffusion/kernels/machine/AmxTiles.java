package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.Gpr.RSP;

/** AMX's tiles as all code here has them: all of them whole, so that their shapes never change. */
final class AmxTiles {
    /** Rows of a tile, and floats of its rows. */
    static final int TILE = 16;
    /** Bytes of a row, a cache line, and of a tile. */
    static final int ROW_BYTES = 64;
    static final int TILE_BYTES = TILE * ROW_BYTES;
    private static final int CONFIG_BYTES = 64;
    private static final int PALETTE = 1;

    private AmxTiles() {
    }

    /**
     * Makes all tiles whole. The 64 bytes that say so are: the palette; from byte 16 on the bytes of a row of each tile
     * in two; from byte 48 on the rows of each in one.
     */
    static void configure(Assembler x, Gpr scratch) {
        x.sub(RSP, CONFIG_BYTES);
        for (int at = 0; at < CONFIG_BYTES; at += 4) {
            int word = 0;
            if (at == 0) {
                word = PALETTE;
            } else if (at >= 16 && at < 32) {
                word = ROW_BYTES | ROW_BYTES << 16;
            } else if (at >= 48 && at < 56) {
                word = TILE | TILE << 8 | TILE << 16 | TILE << 24;
            }
            x.mov(scratch, word);
            x.movd(Mem.at(RSP, at), scratch);
        }
        x.ldtilecfg(Mem.at(RSP));
        x.add(RSP, CONFIG_BYTES);
    }
}
