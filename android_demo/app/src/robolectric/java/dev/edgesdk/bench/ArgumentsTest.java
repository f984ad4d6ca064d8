package dev.edgesdk.bench;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.Collections;

import org.junit.Test;

public final class ArgumentsTest {
    @Test
    public void takesAllOfIt() {
        Arguments asked = Arguments.parse(" --model='/sdcard/my model.edge'  --delegate=gpu --threads=4 --runs=100"
                + " --seconds=1.5 --warm-up=0 --policy=gpu=require,max_latency_ms=20 --variant=v"
                + " --delegate-option=precision=float32 --out=r1.json --run-id=a-1 ");
        assertEquals(Collections.emptyList(), asked.faults);
        assertEquals("/sdcard/my model.edge", asked.model);
        assertEquals("gpu", asked.delegate);
        assertEquals(Collections.singletonMap("precision", "float32"), asked.delegateOptions);
        assertEquals("gpu=require,max_latency_ms=20", asked.policy);
        assertEquals(4, asked.threads);
        assertEquals("custom", asked.plan.mode);
        assertEquals(100, asked.plan.runs);
        assertEquals(1.5, asked.plan.seconds, 0);
        assertEquals(0, asked.plan.warmUp);
        assertEquals("r1.json", asked.out);
        assertEquals("a-1", asked.runId);
    }

    @Test
    public void hasDefaults() {
        Arguments asked = Arguments.parse("--model=app:digits.edge");
        assertEquals("auto", asked.delegate);
        assertEquals("quick", asked.plan.mode);
        assertEquals(Plan.UNTIL_STEADY, asked.plan.warmUp);
        assertEquals("result.json", asked.out);
        assertNull(asked.runId);
        assertEquals(1024, Arguments.parse("--model=m --mode=quotable").plan.runs);
    }

    @Test
    public void saysWhatMakesNoSense() {
        String[][] cases = {
            {"", "--model is missing"}, {"model=x", "expected --name=value"}, {"--", "expected --name=value"},
            {"--model=", "expected a value"}, {"--model=a --model=b", "given twice"},
            {"--model=a --runs=0", "from 1 to"}, {"--model=a --runs=1e3", "whole number"},
            {"--model=a --runs=99999999999999999999", "whole number"}, {"--model=a --seconds=NaN", "number"},
            {"--model=a --seconds=-1", "number"}, {"--model=a --threads=65", "from 1 to 64"},
            {"--model=a --out=../x.json", "--out"}, {"--model=a --out=/etc/x.json", "--out"},
            {"--model=a --out=x.txt", "--out"}, {"--model=a --run-id=$(id)", "--run-id"},
            {"--model=a --delegate=GPU!", "--delegate"}, {"--model=a --mode=quick --runs=3", "--mode goes without"},
            {"--model=a --delegate-option=x", "key=value"}, {"--model=\"a", "quote"}, {"--model=a --frobnicate=1", "no such"},
        };
        for (String[] one : cases) {
            Arguments asked = Arguments.parse(one[0]);
            assertEquals(one[0] + ": " + asked.faults, 1, asked.faults.size());
            assertTrue(asked.faults.toString(), asked.faults.get(0).contains(one[1]));
        }
        assertEquals(3, Arguments.parse("a b --c=d").faults.size());
    }
}
