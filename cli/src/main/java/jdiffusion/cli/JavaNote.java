package jdiffusion.cli;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.stream.Stream;

/**
 * What is to be said of the Java that runs this: G1 may move arrays that native code is reading or writing
 * (JDK-8377811), as that of {@code java.util.zip} does, and JCuda's. It is mended in 25.0.3, and so in 26.0.1 of the
 * same day at the latest. The launcher takes another collector; {@code java -jar} takes G1.
 */
final class JavaNote {
    private static final int FEATURE = 25;
    private static final int UPDATE = 3;
    private static final int NEXT_UPDATE = 1;

    private JavaNote() {
    }

    /** One line about this process; null when there is nothing to say. */
    static String get() {
        boolean known = ModuleLayer.boot().findModule("java.management").isPresent();
        return known && isAffected(Runtime.version()) ? of(Runtime.version(), collectors()) : null;
    }

    /** @param collectors names as {@link GarbageCollectorMXBean} has them */
    static String of(Runtime.Version java, Stream<String> collectors) {
        boolean g1 = collectors.anyMatch(name -> name.startsWith("G1"));
        return !g1 || !isAffected(java) ? null : "note: Java " + java + " can corrupt arrays under its collector G1"
                + " (JDK-8377811); use 25.0.3, 26.0.1 or newer, or start it with -XX:+UseSerialGC";
    }

    private static boolean isAffected(Runtime.Version java) {
        return switch (java.feature() - FEATURE) {
            case 0 -> java.update() < UPDATE;
            case 1 -> java.update() < NEXT_UPDATE;
            default -> false;
        };
    }

    private static Stream<String> collectors() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream().map(GarbageCollectorMXBean::getName);
    }
}
