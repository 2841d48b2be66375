package jdiffusion.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the launcher runs so that the JVM can store what it loaded: a small picture is drawn, and a server draws one. No
 * command of the program, since users gain nothing from it.
 */
final class Rehearsal {
    private static final Pattern LISTENING = Pattern.compile("listening at (http://\\S+)");
    private static final String SMALL = "{\"prompt\":\"rehearsal\",\"size\":\"64x64\",\"steps\":2}";
    private static final int SECONDS = 60;

    private Rehearsal() {
    }

    /** @param args the picture's file */
    public static void main(String[] args) throws InterruptedException {
        int code = run(System.err, "generate", "rehearsal", "-W", "64", "-H", "64", "--steps", "2", "-o", args[0]);
        if (code == Main.OK) {
            try {
                serve();
            } catch (IOException | ExecutionException | TimeoutException e) {
                // Where no port can be had, the rest is stored all the same.
                System.err.println("the server was not rehearsed: " + e);
            }
        }
        // Ends the server, too.
        System.exit(code);
    }

    private static int run(PrintStream err, String... args) {
        return Main.run(args, new Results(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8), err,
                System.getenv());
    }

    private static void serve() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        CompletableFuture<URI> address = new CompletableFuture<>();
        PrintStream err = new PrintStream(OutputStream.nullOutputStream()) {
            @Override
            public void println(String line) {
                Matcher listening = LISTENING.matcher(line);
                if (listening.find()) {
                    address.complete(URI.create(listening.group(1)));
                }
            }
        };
        Thread.ofPlatform().daemon().start(() -> address.completeExceptionally(new IOException(
                "serve ended with " + run(err, "serve", "--port", "0"))));
        URI server = address.get(SECONDS, TimeUnit.SECONDS);
        ask(server, "GET /readyz HTTP/1.1\r\n", "");
        ask(server, "POST /v1/images/generations HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: "
                + SMALL.length() + "\r\n", SMALL);
    }

    /** By a plain socket, so that no client's classes are stored. */
    private static void ask(URI server, String head, String body) throws IOException {
        try (Socket socket = new Socket(server.getHost(), server.getPort())) {
            socket.setSoTimeout(SECONDS * 1000);
            socket.getOutputStream().write((head + "Host: localhost\r\nConnection: close\r\n\r\n" + body)
                    .getBytes(StandardCharsets.US_ASCII));
            socket.getInputStream().readAllBytes();
        }
    }
}
