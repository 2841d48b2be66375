package jdiffusion.cli;

import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Prints the completion script of bash and zsh. */
@Command(name = "completion", mixinStandardHelpOptions = true, versionProvider = Version.class,
        header = "Print a script that completes options in bash and zsh.",
        footerHeading = "%nExamples:%n", footer = "  source <(jdiffusion completion)")
final class CompletionCommand implements Runnable {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public void run() {
        CommandLine root = spec.root().commandLine();
        root.getOut().print(AutoComplete.bash(root.getCommandName(), root));
        root.getOut().flush();
    }
}
