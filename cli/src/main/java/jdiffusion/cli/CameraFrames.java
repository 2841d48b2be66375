package jdiffusion.cli;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import jdiffusion.tensor.InputException;

/** A camera of Video4Linux, read by ffmpeg, which must be there. */
final class CameraFrames implements FrameSource {
    private static final int PATIENCE_SECONDS = 2;

    private final String device;
    private final Process ffmpeg;
    private final FrameSource frames;
    private final Thread errors;
    private final ExitHook onExit;
    private volatile String lastError = "";
    private volatile boolean closed;

    private CameraFrames(String device, Process ffmpeg) {
        this.device = device;
        this.ffmpeg = ffmpeg;
        this.frames = new Piped(name(), ffmpeg.getInputStream());
        this.errors = Thread.ofVirtual().unstarted(this::readErrors);
        this.onExit = new ExitHook("camera", ffmpeg::destroy);
    }

    static CameraFrames start(String device) {
        if (device.isBlank()) {
            throw new InputException("--input v4l2: names no device; give one like v4l2:/dev/video0");
        }
        List<String> command = List.of("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-fflags",
                "nobuffer", "-f", "v4l2", "-i", device, "-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "3", "-");
        try {
            CameraFrames camera = new CameraFrames(device, new ProcessBuilder(command).start());
            camera.errors.start();
            return camera;
        } catch (IOException e) {
            throw new InputException("--input v4l2:" + InputException.shown(device)
                    + ": ffmpeg, which reads the camera, cannot be started; install it (https://ffmpeg.org) and see"
                    + " that it is on the PATH", e);
        }
    }

    /** Reads them all, so that ffmpeg does not wait for it. */
    private void readErrors() {
        try (var lines = ffmpeg.errorReader()) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                lastError = line.isBlank() ? lastError : line.strip();
            }
        } catch (IOException _) {
            // It has ended.
        }
    }

    @Override
    public String name() {
        return CAMERA + device;
    }

    @Override
    public void run(FrameQueue queue) throws IOException, InterruptedException {
        frames.run(queue);
        errors.join();
        int code = ffmpeg.waitFor();
        if (code != 0 && !closed) {
            throw new InputException("--input " + InputException.shown(name()) + ": ffmpeg ended with code " + code
                    + (lastError.isEmpty() ? "" : " (" + InputException.shown(lastError) + ")")
                    + "; see whether the device is there and nothing else uses it");
        }
    }

    @Override
    public void close() {
        closed = true;
        ffmpeg.destroy();
        try {
            if (!ffmpeg.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                ffmpeg.destroyForcibly();
            }
            onExit.close();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
