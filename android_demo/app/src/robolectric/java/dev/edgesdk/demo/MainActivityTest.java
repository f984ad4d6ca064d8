package dev.edgesdk.demo;

import static org.junit.Assert.assertEquals;

import android.widget.Spinner;

import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;

@RunWith(RobolectricTestRunner.class)
public final class MainActivityTest {
    @Test
    public void opens() {
        MainActivity activity = Robolectric.buildActivity(MainActivity.class).setup().get();
        assertEquals(7, ((Spinner) activity.findViewById(R.id.delegates)).getAdapter().getCount());
    }
}
