package jdiffusion.lab;

import java.util.List;
import jdiffusion.emulator.Dim3;

/**
 * A launch as it was asked for.
 *
 * @param text   as written
 * @param kernel its name, mangled or not
 * @param cluster blocks of a cluster; null where the kernel decides
 * @param shared bytes of dynamic shared memory
 */
record Launch(String text, String kernel, Dim3 grid, Dim3 block, Dim3 cluster, int shared, List<Argument> arguments) {}
