package dev.edgesdk.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.content.Intent;

import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;

/** What the app was built to trust, on the screen; {@link HeadlessActivityTest} has damage as adb sees it. */
@RunWith(RobolectricTestRunner.class)
public final class TrustTest {
    @Rule
    public final Bench bench = new Bench();

    @Test
    public void withoutKeysWhoeverSignedIt() {
        assertTrue(TrustedKeys.of(bench.context).length == 0);
        for (String name : new String[] {"signed.edge", "stranger.edge"}) {
            assertVerified(check(Bench.made(name).getPath()));
        }
        assertVerified(check("app:digits.edge"));
    }

    @Test
    public void whatTheKeySigned() throws Exception {
        bench.carry("keyed.apk");
        assertVerified(check(Bench.made("signed.edge").getPath()));
    }

    @Test
    public void whatAnotherKeySigned() throws Exception {
        bench.carry("keyed.apk");
        String text = check(Bench.made("stranger.edge").getPath());
        assertTrue(text, text.matches(
                "(?s)BundleSignatureError: .*stranger.edge.*signed by [0-9a-f]{16}, trusted are [0-9a-f]{16}.*Try: give .*"));
    }

    @Test
    public void whatNobodySigned() throws Exception {
        bench.carry("keyed.apk");
        String text = check("app:digits.edge");
        assertTrue(text, text.startsWith("BundleSignatureError: ") && text.contains("it is unsigned"));
        text = check("app:plain.tflite");
        assertTrue(text, text.startsWith("PolicyError: ") && text.contains("carries no signature"));
        assertEquals(0, TableEngine.opened);
    }

    @Test
    public void aKeyThatIsNone() throws Exception {
        bench.carry("broken-key.apk");
        String text = check(Bench.made("signed.edge").getPath());
        assertTrue(text, text.startsWith("BundleError: ") && text.contains("not an Ed25519 public key (13 bytes)"));
    }

    @Test
    public void aFlippedByteInWhatTheAppCarries() throws Exception {
        bench.carry("flipped.apk");
        String text = check("app:flipped.edge");
        assertTrue(text, text.startsWith("BundleIntegrityError: ") && text.contains("model.tflite")
                && text.contains("Try: the file was damaged or changed"));
        assertEquals(0, TableEngine.opened);
    }

    private String check(String model) {
        MainActivity activity = Robolectric.buildActivity(MainActivity.class,
                new Intent(bench.context, MainActivity.class).putExtra("model", model)).setup().get();
        activity.findViewById(R.id.check).performClick();
        bench.await();
        return Bench.text(activity, R.id.outcome);
    }

    private static void assertVerified(String text) {
        assertTrue(text, text.startsWith("Outputs: verified against the bundle's golden outputs"));
    }
}
