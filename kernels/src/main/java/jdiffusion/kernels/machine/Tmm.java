package jdiffusion.kernels.machine;

/** The tiles of AMX, in the order of their numbers: up to 16 rows of 64 bytes each. */
enum Tmm {
    TMM0, TMM1, TMM2, TMM3, TMM4, TMM5, TMM6, TMM7;

    int number() {
        return ordinal();
    }
}
