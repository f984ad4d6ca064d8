package dev.edgesdk.bench;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.List;
import java.util.Random;

import org.json.JSONException;
import org.json.JSONObject;
import org.junit.Test;

/** By a clock of its own: nothing here depends on how busy the machine is. */
public final class TimingTest {
    /** Each query takes what {@link #next} says; reading the clock takes nothing. */
    private abstract static class Simulated implements Timing.Query, Timing.Clock, Timing.Observer {
        long now;
        int queries;
        boolean stops;
        int status;

        abstract long next();

        @Override
        public void run() {
            now += next();
            queries++;
        }

        @Override
        public long nanos() {
            return now;
        }

        @Override
        public JSONObject look(double atSeconds) {
            try {
                return new JSONObject().put("at_s", atSeconds).put("thermal_status", status);
            } catch (JSONException error) {
                throw new IllegalStateException(error);
            }
        }

        @Override
        public void progress(int runs, double seconds) { }

        @Override
        public boolean stops() {
            return stops;
        }

        Timing.Taken take(Plan plan) {
            return new Timing(this, this, this).take(plan);
        }
    }

    private static Simulated steady() {
        return new Simulated() {
            @Override
            long next() {
                return 2_000_000;
            }
        };
    }

    @Test
    public void takesAtLeastSoManyAndSoLong() {
        assertEquals(500, steady().take(new Plan("custom", 10, 1, 0)).ms.length);
        Timing.Taken many = steady().take(new Plan("custom", 600, 1, 0));
        assertEquals(600, many.ms.length);
        assertEquals(2, many.ms[599], 0);
        assertEquals(2 * 599 / 1e3, many.atSeconds[599], 1e-9);
        assertFalse(many.stopped);
        // Before, each second, after.
        assertEquals(3, many.looks.size());
    }

    @Test
    public void warmUpEndsWhenLatencyHasSettled() {
        Simulated falling = new Simulated() {
            @Override
            long next() {
                return 2_000_000 + Math.max(0, 400 - queries) * 20_000L;
            }
        };
        Timing.Taken taken = falling.take(new Plan("custom", 50, 0, Plan.UNTIL_STEADY));
        assertTrue(taken.warmUp.detected);
        assertTrue("queries " + taken.warmUp.queries, taken.warmUp.queries > 300);
        assertEquals(2, taken.ms[0], 0.3);
    }

    @Test
    public void warmUpThatNeverSettlesIsSaid() {
        Simulated rising = new Simulated() {
            @Override
            long next() {
                return (long) (1_000_000 * Math.pow(1.01, Math.min(queries, 800)));
            }
        };
        Timing.Taken taken = rising.take(new Plan("custom", 1, 0, Plan.UNTIL_STEADY));
        List<String[]> reasons = Validity.reasons(new Plan("custom", 1, 0, Plan.UNTIL_STEADY), taken, false);
        assertEquals(!taken.warmUp.detected, !reasons.isEmpty());
    }

    @Test
    public void whatMakesAResultInvalid() {
        Plan plan = new Plan("custom", 200, 0, 0);
        assertTrue(Validity.reasons(plan, steady().take(plan), false).isEmpty());
        assertEquals("left-foreground", Validity.reasons(plan, steady().take(plan), true).get(0)[0]);
        Simulated hot = steady();
        hot.status = 2;
        assertEquals("throttled", Validity.reasons(plan, hot.take(plan), false).get(0)[0]);
        Simulated impatient = steady();
        impatient.stops = true;
        assertEquals("stopped", Validity.reasons(plan, impatient.take(plan), false).get(0)[0]);
    }

    @Test
    public void percentilesAreSamples() {
        double[] samples = new double[100];
        for (int index = 0; index < samples.length; index++) {
            samples[index] = 100 - index;
        }
        Statistics figures = new Statistics(samples);
        assertEquals(50, figures.quantile(0.5), 0);
        assertEquals(90, figures.quantile(0.9), 0);
        assertEquals(99, figures.quantile(0.99), 0);
        assertEquals(50.5, figures.mean(), 1e-12);
        assertEquals(28.86607, figures.deviation(), 1e-5);
        assertNull(new Statistics(new double[] {1, 2, 3}).intervals(new double[] {0.5}));
    }

    /** Of independent samples a 95 % interval holds the truth in about 95 of 100 rows; 85 is 4.6 sigma below. */
    @Test
    public void intervalsHoldTheTruth() {
        Random random = new Random(1);
        int held = 0;
        for (int row = 0; row < 100; row++) {
            double[] samples = new double[400];
            for (int index = 0; index < samples.length; index++) {
                samples[index] = 10 + random.nextGaussian();
            }
            double[] interval = new Statistics(samples).intervals(new double[] {0.5})[1];
            held += interval[0] <= 10 && 10 <= interval[1] ? 1 : 0;
        }
        assertTrue("held " + held, held >= 85);
        double[] flat = new double[50];
        java.util.Arrays.fill(flat, 3);
        assertArrayEquals(new double[] {3, 3}, new Statistics(flat).intervals(new double[] {0.9})[0], 0);
    }
}
