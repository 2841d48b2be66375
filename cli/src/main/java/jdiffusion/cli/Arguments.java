package jdiffusion.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** The words of a command line, changed so that a text that begins with a hyphen is not taken for an option. */
final class Arguments {
    private static final String END = "--";
    /** What options call a value that is a number. */
    private static final Set<String> NUMBERS = Set.of("N", "PIXELS");

    private Arguments() {
    }

    /**
     * A value that begins with a hyphen is joined to its option; a text with spaces that begins with one, and is no
     * option with its value, nor looks like one ({@code --name=}), is put at the end behind {@code --}. Options are not
     * taken for values; the parser is told not to look for that itself, since to it whatever begins with an option's
     * letter is one, such as {@code -blue}.
     *
     * @param spec of the command that comes first
     * @throws ParameterException when an option has another option where its value should be
     */
    static String[] of(String[] args, CommandSpec spec) {
        List<String> options = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        // What begins with the letter of an option, and may be its value as well.
        List<String> unclear = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            String arg = args[i];
            if (arg.equals(END)) {
                return args;
            }
            OptionSpec option = option(arg, spec);
            if (option != null && option.arity().min() > 0 && i + 1 < args.length) {
                String value = args[++i];
                if (isText(value, spec)) {
                    options.add(option.longestName() + "=" + value);
                } else if (value.length() > 1 && value.startsWith("-")) {
                    throw new ParameterException(spec.commandLine(), "Expected parameter for option '"
                            + option.longestName() + "' but found '" + value + "'");
                } else {
                    options.add(arg);
                    options.add(value);
                }
            } else if (!arg.startsWith("-") || arg.indexOf(' ') < 0 || isOption(arg, spec)
                    || arg.matches("(?s)--[a-zA-Z][\\w-]*=.*")) {
                options.add(arg);
            } else if (arg.length() > 1 && isJoined(arg, spec)) {
                unclear.add(arg);
            } else {
                texts.add(arg);
            }
        }
        (isPrompted(options, spec) || !texts.isEmpty() ? options : texts).addAll(unclear);
        if (!texts.isEmpty()) {
            options.add(END);
            options.addAll(texts);
        }
        return options.toArray(String[]::new);
    }

    /** The option of that name; the parser finds those of "mask" and "quantize" as well, which are words here. */
    private static OptionSpec option(String arg, CommandSpec spec) {
        return arg.startsWith("-") ? spec.findOption(arg) : null;
    }

    /** Whether the word behind an option can only be its value, though it begins with a hyphen. */
    private static boolean isText(String value, CommandSpec spec) {
        return value.length() > 1 && value.startsWith("-") && !value.equals(END) && spec.findOption(value) == null
                && !isOption(value, spec) && (value.indexOf(' ') > 0 || !isJoined(value, spec));
    }

    /** Whether a word may be the letter of an option and its value: a number, or any text for those that take texts. */
    private static boolean isJoined(String word, CommandSpec spec) {
        OptionSpec option = spec.findOption(word.charAt(1));
        return option != null && (!NUMBERS.contains(option.paramLabel()) || word.matches("-.=?-?\\d.*"));
    }

    /** Whether a word is an option with its value behind an equals sign. */
    private static boolean isOption(String arg, CommandSpec spec) {
        int equals = arg.indexOf('=');
        return equals > 0 && spec.findOption(arg.substring(0, equals)) != null;
    }

    /** Whether one of the words behind the command is neither an option nor its value. */
    private static boolean isPrompted(List<String> args, CommandSpec spec) {
        for (int i = 1; i < args.size(); i++) {
            OptionSpec option = option(args.get(i), spec);
            if (option != null && option.arity().min() > 0) {
                i++;
            } else if (!args.get(i).startsWith("-")) {
                return true;
            }
        }
        return false;
    }
}
