import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.lang.constant.ClassDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Brings the classes of a folder's jars to a version that the JVM stores in its cache: those from before Java 6, as
 * picocli's are, it would load and verify at every start. The launcher runs this after a build.
 */
final class RenewClasses {
    private static final String CLASS = ".class";
    private static final String MODULE = "module-info.class";
    /** Its place in a class. */
    private static final int MAJOR_VERSION = 6;

    private RenewClasses() {
    }

    public static void main(String[] folder) throws IOException {
        List<Path> jars;
        try (Stream<Path> files = Files.list(Path.of(folder[0]))) {
            jars = files.filter(file -> file.toString().endsWith(".jar")).toList();
        }
        for (Path jar : jars) {
            Path renewed = jar.resolveSibling(jar.getFileName() + ".new");
            try (ZipFile in = new ZipFile(jar.toFile())) {
                if (!hasOld(in)) {
                    continue;
                }
                renew(in, renewed);
            }
            Files.move(renewed, jar, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static boolean isClass(ZipEntry entry) {
        return entry.getName().endsWith(CLASS) && !entry.getName().endsWith(MODULE);
    }

    /** Whether there is anything to change. */
    private static boolean hasOld(ZipFile in) throws IOException {
        for (ZipEntry entry : in.stream().filter(RenewClasses::isClass).toList()) {
            try (DataInputStream start = new DataInputStream(in.getInputStream(entry))) {
                start.skipNBytes(MAJOR_VERSION);
                if (start.readUnsignedShort() < ClassFile.JAVA_6_VERSION) {
                    return true;
                }
            }
        }
        return false;
    }

    private static void renew(ZipFile in, Path to) throws IOException {
        ClassFile classes = ClassFile.of(ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                ClassFile.ClassHierarchyResolverOption.of(
                        ClassHierarchyResolver.ofResourceParsing(type -> open(in, type)).cached()));
        ClassTransform transform = ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL)
                .andThen(ClassTransform.endHandler(builder -> builder.withVersion(ClassFile.JAVA_17_VERSION, 0)));
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(to))) {
            for (ZipEntry entry : in.stream().toList()) {
                byte[] bytes = in.getInputStream(entry).readAllBytes();
                if (isClass(entry)) {
                    var parsed = classes.parse(bytes);
                    if (parsed.majorVersion() < ClassFile.JAVA_6_VERSION) {
                        bytes = classes.transformClass(parsed, transform);
                    }
                }
                ZipEntry copy = new ZipEntry(entry.getName());
                copy.setTime(entry.getTime());
                out.putNextEntry(copy);
                out.write(bytes);
            }
        }
    }

    private static InputStream open(ZipFile in, ClassDesc type) {
        String name = type.descriptorString();
        String path = name.substring(1, name.length() - 1) + CLASS;
        ZipEntry entry = in.getEntry(path);
        try {
            return entry == null ? ClassLoader.getSystemResourceAsStream(path) : in.getInputStream(entry);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
