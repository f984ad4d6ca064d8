package dev.edgesdk.edge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * Gives golden outputs for golden inputs, and otherwise nothing new. Delegates behave as they are told: {@code good}, {@code
 * wrong}, {@code absent}, {@code slow}, {@code fails} in a run, {@code endless} until cancelled, {@code half} precision.
 */
final class ReplayEngine implements Engine {
    final Map<String, String> behaviour = new HashMap<>();
    final Map<String, Integer> steps = new HashMap<>();
    final List<String> log = new ArrayList<>();
    final CountDownLatch running = new CountDownLatch(1);
    Options last;
    int open;
    private final Bundle bundle;

    /** The bundle whose cases are replayed; null runs nothing. */
    ReplayEngine(Bundle bundle, String... pairs) {
        this.bundle = bundle;
        for (int place = 0; place < pairs.length; place += 2) {
            behaviour.put(pairs[place], pairs[place + 1]);
        }
    }

    @Override
    public String name() {
        return "replay 1";
    }

    @Override
    public List<Candidate> found() {
        List<Candidate> made = new ArrayList<>();
        if (behaviour.containsKey("gpu")) {
            made.add(new Candidate("gpu", Policy.Accelerator.GPU));
        }
        if (behaviour.containsKey("nnapi")) {
            made.add(new Candidate("nnapi", Policy.Accelerator.NPU));
        }
        return made;
    }

    @Override
    public Executor open(Model model, Candidate candidate, Options options) {
        last = options;
        log.add("open " + candidate.name);
        if ("absent".equals(behaviour.get(candidate.name))) {
            throw new EdgeException.DelegateUnavailable(candidate.name + ": no such hardware", "take another");
        }
        open++;
        return new Replay(model, candidate);
    }

    private final class Replay extends BufferedExecutor {
        private final Candidate candidate;
        private final String how;
        private final List<Bundle.GoldenCase> cases;
        private volatile boolean cancelled;
        private boolean closed;

        Replay(Model model, Candidate candidate) {
            super(model);
            this.candidate = candidate;
            String told = behaviour.get(candidate.name);
            how = told == null ? "good" : told;
            cases = bundle == null ? Collections.<Bundle.GoldenCase>emptyList()
                    : bundle.golden(model.name.substring(model.name.lastIndexOf(':') + 1));
        }

        @Override
        public String engine() {
            return name();
        }

        @Override
        public Arithmetic arithmetic() {
            return how.equals("half") ? Arithmetic.FLOAT16 : Arithmetic.FLOAT32;
        }

        @Override
        public List<String> notes() {
            return Collections.singletonList("a test's own");
        }

        @Override
        public void invoke() {
            if (how.equals("fails")) {
                throw new EdgeException.Model("the driver hung", null);
            }
            running.countDown();
            long end = System.nanoTime() + (how.equals("slow") ? 20_000_000L : how.equals("endless") ? 60_000_000_000L : 0);
            while (System.nanoTime() < end) {
                if (cancelled) {
                    throw new EdgeException.Cancelled();
                }
                Thread.yield();
            }
            for (Bundle.GoldenCase one : cases) {
                replay(one);
            }
        }

        private void replay(Bundle.GoldenCase one) {
            for (int place = 0; place < inputs.length; place++) {
                byte[] wanted = Hashes.bytes(one.inputs.get(model.inputs.get(place).name).buffer());
                if (!Arrays.equals(wanted, Hashes.bytes((ByteBuffer) inputs[place].duplicate().clear()))) {
                    return;
                }
            }
            for (int place = 0; place < outputs.length; place++) {
                Port port = model.outputs.get(place);
                outputs[place].clear();
                outputs[place].put(one.outputs.get(port.name).buffer());
                if (how.equals("wrong")) {
                    ByteBuffer order = outputs[place].duplicate();
                    order.clear();
                    order.putInt(0, order.getInt(4));
                    order.putInt(4, 0x01010101);
                }
            }
        }

        @Override
        public Facts.Placement placement() {
            return steps.containsKey(candidate.name) ? null : new Facts.Placement(model.ops, 1, null);
        }

        @Override
        public Integer steps() {
            return steps.get(candidate.name);
        }

        @Override
        public void cancel(boolean wanted) {
            cancelled = wanted;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                open--;
                log.add("close " + candidate.name);
            }
        }
    }
}
