package dev.edgesdk.demo;

import dev.edgesdk.edge.EdgeArray;

/** What an input is made from. */
final class Source {
    /** For a person. */
    final String words;
    /** Values, or a picture; null for the golden input. */
    final EdgeArray array;
    /** Whether the bundle's steps make the input from it. */
    final boolean isPicture;

    private Source(String words, EdgeArray array, boolean isPicture) {
        this.words = words;
        this.array = array;
        this.isPicture = isPicture;
    }

    static Source golden() {
        return new Source("the bundle's golden input", null, false);
    }

    static Source picture(EdgeArray picture) {
        return new Source("a picture of " + picture.shape()[1] + " x " + picture.shape()[0], picture, true);
    }

    static Source values(EdgeArray values, String from) {
        return new Source(from, values, false);
    }
}
