package dev.edgesdk.edge;

import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What may be asked of a session besides the model; every method returns a new value. */
public final class SessionOptions implements Cloneable {
    /** {@code REAL}: floats in and out, rounded to and from a quantized file's scales; {@code RAW}: its own integers. */
    public enum Values {
        REAL, RAW
    }

    List<String> delegates = Collections.emptyList();
    Map<String, Map<String, String>> delegateOptions = Collections.emptyMap();
    String profile;
    Policy policy = Policy.open();
    int threads = 1;
    List<String> variants = Collections.emptyList();
    String signature;
    Values values = Values.REAL;
    boolean passesNan;
    boolean keepState;
    File cacheDir;
    MemoryBudget budget;
    Deadline deadline;
    List<byte[]> trustedKeys = Collections.emptyList();
    Cancellation cancellation = new Cancellation();
    Device device = Device.thisDevice();
    MemoryLimits limits = MemoryLimits.system();

    /** The defaults: {@code auto}, a policy that allows everything, one thread. */
    public static SessionOptions defaults() {
        return new SessionOptions();
    }

    /** Only these, in this order, and no fallback; none means {@code auto}. */
    public SessionOptions delegates(String... names) {
        SessionOptions made = copy();
        made.delegates = Collections.unmodifiableList(new ArrayList<>(Arrays.asList(names)));
        return made;
    }

    /** One option of one delegate, such as {@code gpu}, {@code precision}, {@code float32}. */
    public SessionOptions delegateOption(String delegate, String key, String value) {
        SessionOptions made = copy();
        made.delegateOptions = new HashMap<>(delegateOptions);
        Map<String, String> all = new HashMap<>(optionsOf(delegate));
        all.put(key, value);
        made.delegateOptions.put(delegate, all);
        return made;
    }

    /** A profile that the bundle was checked against, whose delegates {@code auto} tries; null looks at the device. */
    public SessionOptions profile(String id) {
        SessionOptions made = copy();
        made.profile = id;
        return made;
    }

    /** What it may run on, and what it must reach there. */
    public SessionOptions policy(Policy wanted) {
        SessionOptions made = copy();
        made.policy = wanted;
        return made;
    }

    /** CPU threads, 1 or more. */
    public SessionOptions threads(int count) {
        if (count < 1) {
            throw new EdgeException.Policy("threads: expected 1 or more, got " + count, null);
        }
        SessionOptions made = copy();
        made.threads = count;
        return made;
    }

    /** Of a bundle; none takes the one that suits each accelerator. Several, with a deadline: the wanted one first. */
    public SessionOptions variants(String... ids) {
        SessionOptions made = copy();
        made.variants = Collections.unmodifiableList(new ArrayList<>(Arrays.asList(ids)));
        return made;
    }

    /** The signature by which the model is entered; null for the default one. */
    public SessionOptions signature(String key) {
        SessionOptions made = copy();
        made.signature = key;
        return made;
    }

    /** What runs take and give. */
    public SessionOptions values(Values wanted) {
        SessionOptions made = copy();
        made.values = wanted;
        return made;
    }

    /** Whether inputs that are not finite are let into float models; by default they are refused. */
    public SessionOptions passesNan(boolean passes) {
        SessionOptions made = copy();
        made.passesNan = passes;
        return made;
    }

    /** Whether state stays between runs, of recurrent ops and of variables; by default it is set back before each. */
    public SessionOptions keepState(boolean keeps) {
        SessionOptions made = copy();
        made.keepState = keeps;
        return made;
    }

    /** Folder for files that make the next start faster ({@code getCodeCacheDir()}); null for none. */
    public SessionOptions cacheDir(File folder) {
        SessionOptions made = copy();
        made.cacheDir = folder;
        return made;
    }

    /** Bytes that all sessions given this object may take together; null for no such limit. */
    public SessionOptions budget(MemoryBudget shared) {
        SessionOptions made = copy();
        made.budget = shared;
        return made;
    }

    /** What a run may take: beyond it a faster variant takes over; null for no limit. */
    public SessionOptions deadline(Deadline limit) {
        SessionOptions made = copy();
        made.deadline = limit;
        return made;
    }

    /** Ed25519 public keys of 32 bytes or in PEM form, one of which must have signed the bundle; none trusts all. */
    public SessionOptions trustedKeys(byte[]... keys) {
        SessionOptions made = copy();
        made.trustedKeys = Collections.unmodifiableList(new ArrayList<>(Arrays.asList(keys)));
        return made;
    }

    /** What ends runs and the opening, from any thread. */
    public SessionOptions cancellation(Cancellation token) {
        SessionOptions made = copy();
        made.cancellation = token;
        return made;
    }

    /** This device, for the receipt; an app knows more of it than Java does. */
    public SessionOptions device(Device here) {
        SessionOptions made = copy();
        made.device = here;
        return made;
    }

    /** What bounds memory; an app may add what Android's ActivityManager says. */
    public SessionOptions limits(MemoryLimits bounds) {
        SessionOptions made = copy();
        made.limits = bounds;
        return made;
    }

    Map<String, String> optionsOf(String delegate) {
        Map<String, String> found = delegateOptions.get(delegate);
        return found == null ? Collections.<String, String>emptyMap() : found;
    }

    private SessionOptions copy() {
        try {
            return (SessionOptions) clone();
        } catch (CloneNotSupportedException error) {
            throw new AssertionError(error);
        }
    }
}
