package dev.edgesdk.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What a headless benchmark is asked for: {@code --model=app:digits.edge --delegate=gpu --runs=100 --out=r1.json}. All
 * faults are gathered, so that one error file names them all.
 */
public final class Arguments {
    /** What the app runs with at most; more is a slip of the pen. */
    private static final int MOST_THREADS = 64, MOST_RUNS = 1_000_000, MOST_SECONDS = 3600, MOST_WARM_UP = 100_000;
    /** What says how one model is timed: how kernels are is no matter of choice, or two tables could not be compared. */
    private static final String[] ONE_MODELS = {"model", "delegate", "policy", "variant", "mode", "runs", "seconds", "warm-up"};
    private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}\\.json");
    private static final Pattern RUN_ID = Pattern.compile("[A-Za-z0-9-]{1,64}");

    /** {@code app:NAME} for one that the app carries, else a path; null where kernels are timed. */
    public final String model;
    /** Path of an archive of files that are timed one after the other; null where one model is. */
    public final String kernels;
    /** {@code auto}, or the delegate's name. */
    public final String delegate;
    /** Of the delegate, such as {@code precision=float32}. */
    public final Map<String, String> delegateOptions;
    /** In the words of POLICY.md; empty for none. */
    public final String policy;
    /** Of a bundle; null takes the one that suits. */
    public final String variant;
    /** On the CPU. */
    public final int threads;
    /** How long to measure. */
    public final Plan plan;
    /** File name of the result. */
    public final String out;
    /** The caller's name for this run, which the result repeats; null makes one. */
    public final String runId;
    /** A sentence for each thing that makes no sense. */
    public final List<String> faults;

    private Arguments(Reader read) {
        kernels = read.text("kernels", null, null);
        if (kernels != null) {
            read.refuse(ONE_MODELS, "--kernels goes with --threads alone");
        }
        model = read.text("model", null, null);
        delegate = read.text("delegate", "auto", Pattern.compile("[a-z_]{1,32}"));
        delegateOptions = Collections.unmodifiableMap(read.options);
        policy = read.text("policy", "", null);
        variant = read.text("variant", null, null);
        threads = (int) read.number("threads", 1, 1, MOST_THREADS, true);
        plan = readPlan(read);
        out = read.text("out", "result.json", FILE_NAME);
        runId = read.text("run-id", null, RUN_ID);
        read.refuseTheRest();
        if (model == null && kernels == null && read.faults.isEmpty()) {
            read.faults.add("--model is missing: app:NAME, or a path");
        }
        faults = Collections.unmodifiableList(read.faults);
    }

    /** Reads a line. Words are parted by blanks; quotes hold together what has blanks inside. */
    public static Arguments parse(String line) {
        return new Arguments(new Reader(line == null ? "" : line));
    }

    private static Plan readPlan(Reader read) {
        String mode = read.text("mode", null, Pattern.compile("quick|quotable"));
        boolean stated = read.has("runs") || read.has("seconds");
        if (mode != null && stated) {
            read.faults.add("--mode goes without --runs and --seconds");
        }
        int warmUp = (int) read.number("warm-up", Plan.UNTIL_STEADY, 0, MOST_WARM_UP, true);
        int runs = (int) read.number("runs", 1, 1, MOST_RUNS, true);
        double seconds = read.number("seconds", 0, 0, MOST_SECONDS, false);
        if (stated) {
            return new Plan("custom", runs, seconds, warmUp);
        }
        return "quotable".equals(mode) ? Plan.quotable(warmUp) : Plan.quick(warmUp);
    }

    /** Takes words one by one, and remembers what was wrong with them. */
    private static final class Reader {
        final List<String> faults = new ArrayList<>();
        final Map<String, String> options = new LinkedHashMap<>();
        private final Map<String, String> given = new LinkedHashMap<>();

        Reader(String line) {
            for (String word : words(line)) {
                int equals = word.indexOf('=');
                if (!word.startsWith("--") || equals < 3) {
                    faults.add("`" + word + "`: expected --name=value");
                } else if (word.startsWith("--delegate-option=")) {
                    option(word.substring(equals + 1));
                } else if (given.put(word.substring(2, equals), word.substring(equals + 1)) != null) {
                    faults.add(word.substring(0, equals) + " is given twice");
                }
            }
        }

        boolean has(String name) {
            return given.containsKey(name);
        }

        void refuse(String[] names, String why) {
            for (String name : names) {
                if (given.remove(name) != null) {
                    faults.add("--" + name + ": " + why);
                }
            }
        }

        String text(String name, String otherwise, Pattern pattern) {
            String value = given.remove(name);
            if (value == null) {
                return otherwise;
            }
            if (value.isEmpty() || pattern != null && !pattern.matcher(value).matches()) {
                faults.add("--" + name + "=" + value + ": expected "
                        + (pattern == null ? "a value" : "something like " + pattern.pattern()));
                return otherwise;
            }
            return value;
        }

        double number(String name, double otherwise, double least, double most, boolean whole) {
            String value = given.remove(name);
            if (value == null) {
                return otherwise;
            }
            try {
                double number = whole ? Long.parseLong(value) : Double.parseDouble(value);
                if (number >= least && number <= most) {
                    return number;
                }
            } catch (NumberFormatException notOne) {
                // Said below, as for a number out of range.
            }
            faults.add("--" + name + "=" + value + ": expected a " + (whole ? "whole " : "") + "number from "
                    + (long) least + " to " + (long) most);
            return otherwise;
        }

        void refuseTheRest() {
            for (String name : given.keySet()) {
                faults.add("--" + name + ": there is no such option");
            }
        }

        private void option(String text) {
            int equals = text.indexOf('=');
            if (equals < 1 || options.put(text.substring(0, equals), text.substring(equals + 1)) != null) {
                faults.add("--delegate-option=" + text + ": expected key=value, each key once");
            }
        }

        private List<String> words(String line) {
            List<String> made = new ArrayList<>();
            StringBuilder word = new StringBuilder();
            boolean begun = false;
            char quote = 0;
            for (char letter : line.toCharArray()) {
                if (quote == 0 && Character.isWhitespace(letter)) {
                    if (begun) {
                        made.add(word.toString());
                        word.setLength(0);
                        begun = false;
                    }
                } else if (quote == 0 && (letter == '"' || letter == '\'')) {
                    quote = letter;
                    begun = true;
                } else if (letter == quote) {
                    quote = 0;
                } else {
                    word.append(letter);
                    begun = true;
                }
            }
            if (quote != 0) {
                faults.add("a quote is not closed");
            }
            if (begun) {
                made.add(word.toString());
            }
            return made;
        }
    }
}
