package jdiffusion.cli;

import picocli.CommandLine.Command;

@Command(name = "inspect", mixinStandardHelpOptions = true)
final class InspectCommand implements Runnable {
    @Override
    public void run() {
    }
}
