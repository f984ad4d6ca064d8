package dev.edgesdk.edge;

import java.util.LinkedHashMap;
import java.util.Map;

/** Bytes that the sessions of one process may take together; what each needs is predicted. Thread-safe. */
public final class MemoryBudget {
    private final long totalBytes;
    private final Map<Integer, Object[]> taken = new LinkedHashMap<>();
    private int last;

    /** For all. */
    public MemoryBudget(long totalBytes) {
        this.totalBytes = totalBytes;
    }

    /** What is left. */
    public synchronized long freeBytes() {
        long left = totalBytes;
        for (Object[] one : taken.values()) {
            left -= (Long) one[1];
        }
        return left;
    }

    /**
     * Reserves bytes; the number returned gives them back.
     *
     * @throws EdgeException.Target less is left; names who holds the rest
     */
    synchronized int take(String name, long bytes) {
        if (bytes > freeBytes()) {
            StringBuilder held = new StringBuilder();
            for (Object[] one : taken.values()) {
                held.append(held.length() == 0 ? "" : "; ").append(one[0]).append(" ").append(Need.mib((Long) one[1]));
            }
            throw new EdgeException.Target(name + " needs at least " + Need.mib(bytes) + " (predicted), the memory budget"
                    + " of " + Need.mib(totalBytes) + " has " + Need.mib(freeBytes()) + " left (held by "
                    + (held.length() == 0 ? "nobody" : held) + ")", "close a session, or raise the budget");
        }
        last++;
        taken.put(last, new Object[] {name, bytes});
        return last;
    }

    /** Frees what {@link #take} reserved; twice is harmless. */
    synchronized void giveBack(int ticket) {
        taken.remove(ticket);
    }
}
