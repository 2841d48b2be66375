package jdiffusion.server;

import java.net.URI;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import jdiffusion.server.a1111.A1111Api;
import jdiffusion.server.a1111.ControlNetApi;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.draw.DrawingThread;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.draw.ServedModels;
import jdiffusion.server.http.Access;
import jdiffusion.server.http.Api;
import jdiffusion.server.http.Login;
import jdiffusion.server.http.Site;
import jdiffusion.server.jobs.History;
import jdiffusion.server.jobs.Jobs;
import jdiffusion.server.mcp.McpApi;
import jdiffusion.server.metrics.Metrics;
import jdiffusion.server.openai.OpenAiApi;
import jdiffusion.server.own.Options;
import jdiffusion.server.own.OwnApi;
import jdiffusion.server.page.Page;
import jdiffusion.tensor.InputException;

/** Draws for clients over HTTP: a device with its queue, and the interfaces to it. */
public final class Server implements AutoCloseable {
    private final Jobs jobs;
    private final Site site;

    private Server(Jobs jobs, Site site) {
        this.jobs = jobs;
        this.site = site;
    }

    /** @throws InputException when something that it is started with cannot be used */
    public static Server start(ServerSettings s) {
        if (s.queue() < 1) {
            throw new InputException("a queue of " + s.queue() + " jobs; at least 1 is needed");
        }
        if (s.loraFolder() != null && !Files.isDirectory(s.loraFolder())) {
            throw new InputException("--lora-dir " + s.loraFolder()
                    + " is not a folder; give the one that the LoRAs are in");
        }
        if (s.controlFolder() != null && !Files.isDirectory(s.controlFolder())) {
            throw new InputException("--control-dir " + s.controlFolder()
                    + " is not a folder; give the one that the ControlNets are in");
        }
        ServedModels servedModels = new ServedModels(s.model(), s.modelsFolder(), s.opening(), s.backend(), s.log());
        History history = s.output() == null ? null : new History(s.output());
        Metrics metrics = new Metrics();
        DrawingThread drawing = new DrawingThread(s.backend(), s.memory(), s.quantize(), s.version(), metrics);
        RequestPreparer preparer = new RequestPreparer(servedModels, s.loraFolder(), s.controlFolder(), s.limits());
        Jobs jobs = new Jobs(drawing, history, s.queue(), s.idle(), metrics, s.log());
        try {
            Calls calls = new Calls(preparer, jobs);
            Options options = new Options(preparer, drawing, s.queue(), s.version(), history != null);
            Access access = new Access(s.hosts(), s.keys());
            List<Api> apis = List.of(new Login(access), new OwnApi(calls, options), new OpenAiApi(calls),
                    new A1111Api(calls, s.version()), new ControlNetApi(preparer), new McpApi(calls, s.version()),
                    new Page(), new Operation(jobs, metrics));
            Site site = Site.start(s.host(), s.port(), apis, access, Operation::isOpen,
                    s.limits().body(), metrics, s.log());
            return new Server(jobs, site);
        } catch (RuntimeException | Error e) {
            jobs.close();
            throw e;
        }
    }

    /** Where it is reached. */
    public URI address() {
        return site.address();
    }

    /**
     * Takes no more requests, lets the picture that is drawn come to its end, and tells the clients of all others.
     *
     * @param most time after which that picture is cancelled, too
     */
    public void stop(Duration most) {
        try {
            site.stopListening();
            jobs.stop(most);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            jobs.close();
            site.close();
        }
    }

    @Override
    public void close() {
        stop(Duration.ZERO);
    }
}
