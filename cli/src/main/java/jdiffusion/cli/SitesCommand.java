package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.model.sites.Site;
import jdiffusion.model.sites.Sites;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Lists the tensors of a run that can be looked at and changed. */
@Command(name = "sites", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "List the tensors of a run that 'record' and 'patch' can reach.",
        description = "Goes through a run with the same options as 'generate' without computing anything. Shapes and"
            + " bytes are those of one picture and one guidance branch, as float32.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion sites models/shapes",
            "  jdiffusion sites models/shapes --at \"block.*.image.attn.q\"",
            "  jdiffusion sites models/shapes --json"})
final class SitesCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "MODEL", description = "As --model.")
    private Path path;

    @Mixin
    private DrawingOptions drawing;

    @Option(names = "--at", paramLabel = "SITE",
            description = "Only these: a name, with * for any part, ** for any parts and 4-8 for a range.")
    private String at = "**";

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        if (path != null && drawing.model.model != null) {
            throw new ParameterException(spec.commandLine(), "the model is given twice, as " + path
                    + " and with --model");
        }
        drawing.model.model = path == null ? drawing.model.model : path;
        DrawingOptions.Drawing plan = drawing.counting("", note -> main.err().println("note: " + note));
        Sites sites = plan.pipeline().experiments().sites(plan.request());
        Collection<Site> found = sites.matching(at);
        if (json) {
            main.out().println(toJson(sites, found));
            return Main.OK;
        }
        Table table = new Table("site", "shape", "type", "heads", "bytes", "when", "module");
        for (Site site : found) {
            table.row(site.name(), site.shape().toString(), site.type().name(),
                    site.heads() == 0 ? "-" : Integer.toString(site.heads()), Long.toString(site.bytes()),
                    when(site), site.module().isEmpty() ? "-" : site.module());
        }
        table.lines().forEach(main.out()::println);
        return Main.OK;
    }

    private static String when(Site site) {
        return (switch (site.when()) {
            case TEXT -> "once a prompt";
            case START -> "once";
            case STEP -> "each step";
            case PICTURE -> "once a picture";
        }) + (site.branched() && site.when() != Site.When.TEXT ? ", branch" : "");
    }

    private static ObjectNode toJson(Sites sites, Collection<Site> found) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("steps", sites.steps())
                .put("width", sites.request().width()).put("height", sites.request().height());
        ArrayNode all = root.putArray("sites");
        for (Site site : found) {
            ObjectNode node = all.addObject().put("name", site.name()).put("module", site.module())
                    .put("component", site.component().option()).put("type", site.type().name())
                    .put("heads", site.heads()).put("bytes", site.bytes())
                    .put("when", site.when().name().toLowerCase(Locale.ROOT)).put("branched", site.branched())
                    .put("layout", site.layout().name().toLowerCase(Locale.ROOT));
            ArrayNode shape = node.putArray("shape");
            for (int dim : site.shape().dims()) {
                shape.add(dim);
            }
        }
        return root;
    }
}
