package dev.edgesdk.edge;

/** A delegate that may be tried, and the accelerator that it runs on. */
public final class Candidate {
    /** Of the delegate, such as {@code gpu}. */
    public final String name;
    /** What it runs on. */
    public final Policy.Accelerator accelerator;

    /** Names are unique in a list. */
    public Candidate(String name, Policy.Accelerator accelerator) {
        this.name = name;
        this.accelerator = accelerator;
    }
}
