package jdiffusion.kernels.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import jdiffusion.kernels.DeviceException;

/** NVIDIA's run-time compiler, a library that needs no toolkit. The kernels include no header of a toolkit either. */
final class Nvrtc implements CuCompiler {
    private static final Pattern INCLUDE = Pattern.compile("#\\s*include\\s+\"([^\"]+)\"");

    /** Why it cannot be used; null when it can. */
    static String obstacle() {
        try {
            int[] version = new int[1];
            JNvrtc.nvrtcVersion(version, new int[1]);
            return null;
        } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
            return "NVRTC (libnvrtc.so.12) was not found";
        }
    }

    @Override
    public String version() {
        int[] major = new int[1];
        int[] minor = new int[1];
        JNvrtc.nvrtcVersion(major, minor);
        return "NVRTC " + major[0] + "." + minor[0];
    }

    @Override
    public String compile(CuSource source, boolean lines) {
        JNvrtc.setExceptionsEnabled(false);
        List<String> names = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        headers(source, names, texts);
        nvrtcProgram program = new nvrtcProgram();
        check(source, JNvrtc.nvrtcCreateProgram(program, source.text(), source.file() + ".cu", names.size(),
                texts.toArray(new String[0]), names.toArray(new String[0])));
        try {
            List<String> options = new ArrayList<>(List.of("--gpu-architecture=" + source.architecture().label(),
                    "--std=c++17"));
            if (lines) {
                options.add("--generate-line-info");
            }
            int result = JNvrtc.nvrtcCompileProgram(program, options.size(), options.toArray(new String[0]));
            if (result != nvrtcResult.NVRTC_SUCCESS) {
                String[] log = new String[1];
                JNvrtc.nvrtcGetProgramLog(program, log);
                throw new DeviceException(source.file() + ".cu does not compile: " + CuCompiler.firstErrors(log[0]));
            }
            String[] ptx = new String[1];
            check(source, JNvrtc.nvrtcGetPTX(program, ptx));
            return Ptx.portable(ptx[0].replace("\0", ""), source.architecture());
        } finally {
            JNvrtc.nvrtcDestroyProgram(program);
        }
    }

    /** NVRTC takes headers by the names that the directives give them. */
    private static void headers(CuSource source, List<String> names, List<String> texts) {
        for (String text : source.texts().values()) {
            Matcher matcher = INCLUDE.matcher(text);
            while (matcher.find()) {
                String name = matcher.group(1);
                if (!names.contains(name)) {
                    String last = name.substring(name.lastIndexOf('/') + 1);
                    names.add(name);
                    texts.add(source.texts().entrySet().stream().filter(e -> e.getKey().endsWith("/" + last))
                            .map(Map.Entry::getValue).findFirst().orElseThrow());
                }
            }
        }
    }

    private static void check(CuSource source, int result) {
        if (result != nvrtcResult.NVRTC_SUCCESS) {
            throw new DeviceException("compiling " + source.file() + ".cu by NVRTC: " + nvrtcResult.stringFor(result));
        }
    }
}
