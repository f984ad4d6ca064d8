package dev.edgesdk.edge;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** What bounds the memory of this process: asked anew before each model is opened. */
public abstract class MemoryLimits {
    /** One thing that bounds it, and the bytes that it leaves. */
    public static final class Limit {
        /** What it is called. */
        public final String name;
        /** What it leaves. */
        public final long freeBytes;

        /** In bytes. */
        public Limit(String name, long freeBytes) {
            this.name = name;
            this.freeBytes = freeBytes;
        }
    }

    /** The tightest limit now; null where nothing tells one. */
    public abstract Limit tightest();

    /** What the kernel calls available: {@code MemAvailable} of {@code /proc/meminfo}. */
    public static MemoryLimits system() {
        return of(new File("/proc/meminfo"));
    }

    static MemoryLimits of(final File meminfo) {
        return new MemoryLimits() {
            @Override
            public Limit tightest() {
                Long available = available(meminfo);
                return available == null ? null : new Limit("MemAvailable", available);
            }
        };
    }

    /**
     * Throws unless there is memory for a model.
     *
     * @throws EdgeException.Target less is free than it needs
     */
    final void check(Need need, String name) {
        Limit limit = tightest();
        Limit heap = heap();
        if (need.trialBytes > heap.freeBytes) {
            // Arrays and direct buffers are part of an app's heap on Android, whatever the device has free.
            limit = limit == null || heap.freeBytes < limit.freeBytes ? heap : limit;
        }
        if (limit != null && need.totalBytes() > limit.freeBytes) {
            throw new EdgeException.Target(name + " needs at least " + Need.mib(need.totalBytes()) + " (predicted: "
                    + need.parts() + "), " + limit.name + " leaves " + Need.mib(limit.freeBytes),
                    "close other apps or sessions, or take a smaller variant");
        }
    }

    private static Limit heap() {
        Runtime runtime = Runtime.getRuntime();
        return new Limit("the Java heap", runtime.maxMemory() - runtime.totalMemory() + runtime.freeMemory());
    }

    private static Long available(File meminfo) {
        try (BufferedReader reader = new BufferedReader(
                new InputStreamReader(new FileInputStream(meminfo), StandardCharsets.US_ASCII))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                String[] words = line.trim().split("\\s+");
                if (words[0].equals("MemAvailable:") && words.length > 1) {
                    return Long.parseLong(words[1]) * 1024;
                }
            }
        } catch (IOException | NumberFormatException unreadable) {
            return null;
        }
        return null;
    }
}
