package dev.edgesdk.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;

import android.app.Activity;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Color;
import android.net.Uri;
import android.os.Looper;
import android.os.SystemClock;
import android.provider.MediaStore;
import android.view.MotionEvent;
import android.view.View;
import android.widget.Spinner;

import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;

import dev.edgesdk.edge.EdgeArray;

@RunWith(RobolectricTestRunner.class)
public final class RunActivityTest {
    @Rule
    public final Bench bench = new Bench();
    private final List<Thread> readOn = Collections.synchronizedList(new ArrayList<>());

    @Test
    public void theGoldenInputGivesTheGoldenRanking() {
        RunActivity activity = start("app:digits.edge").get();
        assertEquals(View.VISIBLE, activity.findViewById(R.id.draw).getVisibility());
        assertEquals(View.GONE, activity.findViewById(R.id.camera).getVisibility());
        activity.findViewById(R.id.golden).performClick();
        assertEquals("image: the bundle's golden input", Bench.text(activity, R.id.held));
        String text = run(activity);
        assertTrue(text, text.matches("(?s)scores: float32\\[1, 10\\]\\s+digit \\d: .*digit \\d: .*digit \\d: .*"));
        assertTrue(text, text.contains("table 1"));
    }

    /** A finger across the sheet: eight blocks, a row of 4 x 4 dots each, reach the model as their shares. */
    @Test
    public void aDrawnDigitReachesTheModel() {
        ActivityController<RunActivity> controller = start("app:digits.edge");
        RunActivity activity = controller.get();
        assertTrue(run(activity).contains("digit 0: 0.0000"));
        DrawView sheet = activity.findViewById(R.id.draw);
        sheet.layout(0, 0, 320, 320);
        touch(sheet, MotionEvent.ACTION_DOWN, 20, 160);
        touch(sheet, MotionEvent.ACTION_MOVE, 300, 160);
        touch(sheet, MotionEvent.ACTION_UP, 300, 160);
        float[] values = sheet.values();
        double sum = 0;
        for (int place = 0; place < values.length; place++) {
            sum += values[place];
            assertTrue(values[place] >= 0 && values[place] <= 1);
            assertTrue("row " + place / 8, values[place] == 0 || place / 8 == 3 || place / 8 == 4);
        }
        assertTrue("sum " + sum, sum > 3 && sum < 10);
        String text = run(activity);
        assertTrue(text, text.contains(String.format(java.util.Locale.ROOT, ": %.4f", sum)));
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange();
        assertNotEquals(activity, controller.get());
        assertArrayEquals(values, ((DrawView) controller.get().findViewById(R.id.draw)).values(), 0);
        controller.get().findViewById(R.id.clear).performClick();
        assertArrayEquals(new float[64], ((DrawView) controller.get().findViewById(R.id.draw)).values(), 0);
    }

    @Test
    public void aPictureFromTheGalleryGoesThroughTheBundlesSteps() {
        RunActivity activity = start("app:pictures.edge").get();
        assertEquals(View.GONE, activity.findViewById(R.id.draw).getVisibility());
        assertTrue(run(activity).contains("has no values yet"));
        activity.findViewById(R.id.picture).performClick();
        Intent asked = shadowOf(activity).getNextStartedActivityForResult().intent;
        assertEquals("image/*", asked.getType());
        Bitmap bitmap = Bitmap.createBitmap(16, 8, Bitmap.Config.ARGB_8888);
        bitmap.eraseColor(Color.rgb(255, 0, 0));
        EdgeArray array = Pictures.array(bitmap);
        assertArrayEquals(new int[] {8, 16, 3}, array.shape());
        assertEquals(255, array.get(0), 0);
        assertEquals(0, array.get(1), 0);
        answer(activity, asked, png(bitmap));
        assertFalse(readOn.isEmpty());
        assertEquals("image: a picture of 16 x 8", Bench.text(activity, R.id.held));
        // A third of 8 x 8 x 3 values is 1, the rest 0: what the engine sums.
        String text = run(activity);
        assertTrue(text, text.contains("64.0000"));
    }

    @Test
    public void theCameraGetsAPlaceToWrite() {
        RunActivity activity = start("app:pictures.edge").get();
        activity.findViewById(R.id.camera).performClick();
        Intent asked = shadowOf(activity).getNextStartedActivityForResult().intent;
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, asked.getAction());
        Uri uri = asked.getParcelableExtra(MediaStore.EXTRA_OUTPUT, Uri.class);
        assertEquals(ResultProvider.picture(activity), uri);
        assertNotEquals(0, asked.getFlags() & Intent.FLAG_GRANT_WRITE_URI_PERMISSION);
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, null);
        bench.await();
        assertTrue(Bench.text(activity, R.id.outcome), Bench.text(activity, R.id.outcome).contains("picture cannot be read"));
    }

    @Test
    public void noCameraIsSaid() {
        RunActivity activity = start("app:pictures.edge").get();
        shadowOf(RuntimeEnvironment.getApplication()).checkActivities(true);
        activity.findViewById(R.id.camera).performClick();
        assertEquals(activity.getString(R.string.no_camera), Bench.text(activity, R.id.outcome));
    }

    @Test
    public void valuesOutOfAFile() {
        RunActivity activity = start("app:digits.edge").get();
        ByteBuffer bytes = ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putFloat(0, 2.5f);
        answer(activity, pick(activity), bytes.array());
        assertEquals("image: a file", Bench.text(activity, R.id.held));
        assertTrue(run(activity).contains("2.5000"));
        answer(activity, pick(activity), new byte[255]);
        String text = Bench.text(activity, R.id.outcome);
        assertTrue(text, text.contains("has 255 bytes, expected 256") && text.contains("image: float32[1, 8, 8, 1]"));
        byte[] npy = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 8, 8, 1), }", 512);
        answer(activity, pick(activity), npy);
        assertTrue(Bench.text(activity, R.id.outcome).contains("holds float64[1, 8, 8, 1]"));
        answer(activity, pick(activity), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8, 1), }", 256));
        assertTrue(run(activity).contains("0.0000"));
    }

    @Test
    public void theScreenLivesWhileAFileIsRead() throws Exception {
        ActivityController<RunActivity> controller = start("app:digits.edge");
        RunActivity before = controller.get();
        CountDownLatch gate = new CountDownLatch(1);
        Uri uri = Uri.parse("content://far/away");
        shadowOf(bench.context.getContentResolver()).registerInputStreamSupplier(uri, () -> {
            try {
                gate.await();
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
            return new ByteArrayInputStream(new byte[256]);
        });
        shadowOf(before).receiveResult(pick(before), Activity.RESULT_OK, new Intent().setData(uri));
        assertEquals(before.getString(R.string.working), Bench.text(before, R.id.outcome));
        for (int id : new int[] {R.id.run, R.id.file, R.id.golden}) {
            assertFalse(before.findViewById(id).isEnabled());
        }
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange();
        gate.countDown();
        bench.await();
        RunActivity after = controller.get();
        assertNotEquals(before, after);
        assertEquals("image: a file", Bench.text(after, R.id.held));
        assertTrue(after.findViewById(R.id.run).isEnabled());
        assertTrue(run(after).contains("0.0000"));
    }

    /** The system ends apps behind a camera or a document picker; what was picked comes to a new one. */
    @Test
    public void whatWasPickedWhileAndroidHadEndedTheApp() {
        ActivityController<RunActivity> first = start("app:digits.edge");
        Intent asked = pick(first.get());
        android.os.Bundle state = new android.os.Bundle();
        first.pause().stop().saveInstanceState(state);
        Workbench.forget();
        TableEngine.gate = new CountDownLatch(1);
        ActivityController<RunActivity> second = Robolectric.buildActivity(RunActivity.class, first.getIntent());
        second.create(state).start().restoreInstanceState(state);
        RunActivity activity = second.get();
        activity.onActivityResult(3, Activity.RESULT_OK, new Intent().setData(document(new byte[256])));
        second.resume().visible();
        assertEquals("", Bench.text(activity, R.id.held));
        assertEquals("android.intent.action.OPEN_DOCUMENT", asked.getAction());
        TableEngine.gate.countDown();
        bench.await();
        assertEquals("image: a file", Bench.text(activity, R.id.held));
        assertEquals(1, readOn.size());
    }

    @Test
    public void turningTheDeviceWhileTheModelOpens() {
        TableEngine.gate = new CountDownLatch(1);
        ActivityController<RunActivity> controller = Robolectric.buildActivity(RunActivity.class,
                RunActivity.intent(bench.context, setup("app:digits.edge"))).setup();
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange();
        TableEngine.gate.countDown();
        bench.await();
        RunActivity activity = controller.get();
        assertEquals("image: float32[1, 8, 8, 1]",
                ((Spinner) activity.findViewById(R.id.inputs)).getSelectedItem());
        activity.findViewById(R.id.golden).performClick();
        assertTrue(run(activity).contains("table 1"));
    }

    @Test
    public void aModelThatDoesNotOpen() {
        RunActivity activity = start("/nowhere/m.edge").get();
        assertTrue(Bench.text(activity, R.id.outcome).contains("/nowhere/m.edge"));
        activity.findViewById(R.id.golden).performClick();
        assertEquals(false, activity.findViewById(R.id.run).isEnabled());
    }

    private ActivityController<RunActivity> start(String model) {
        ActivityController<RunActivity> made = Robolectric.buildActivity(RunActivity.class,
                RunActivity.intent(bench.context, setup(model))).setup();
        bench.await();
        return made;
    }

    private static Setup setup(String model) {
        return new Setup(new ModelChoice(model), "cpu", Collections.<String, String>emptyMap(), 1, "", null);
    }

    private String run(RunActivity activity) {
        assertTrue(activity.findViewById(R.id.run).performClick());
        bench.await();
        return Bench.text(activity, R.id.outcome);
    }

    private static Intent pick(RunActivity activity) {
        activity.findViewById(R.id.file).performClick();
        return shadowOf(activity).getNextStartedActivityForResult().intent;
    }

    private void answer(RunActivity activity, Intent asked, byte[] bytes) {
        shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, new Intent().setData(document(bytes)));
        bench.await();
    }

    /** A document that is never read on the main thread. */
    private Uri document(byte[] bytes) {
        Uri uri = Uri.parse("content://somewhere/" + System.nanoTime());
        shadowOf(bench.context.getContentResolver()).registerInputStreamSupplier(uri, () -> {
            readOn.add(Thread.currentThread());
            assertNotEquals("read on the main thread", Looper.getMainLooper().getThread(), Thread.currentThread());
            return new ByteArrayInputStream(bytes);
        });
        return uri;
    }

    private static void touch(View view, int action, float x, float y) {
        long now = SystemClock.uptimeMillis();
        view.dispatchTouchEvent(MotionEvent.obtain(now, now, action, x, y, 0));
    }

    private static byte[] png(Bitmap bitmap) {
        ByteArrayOutputStream made = new ByteArrayOutputStream();
        bitmap.compress(Bitmap.CompressFormat.PNG, 100, made);
        return made.toByteArray();
    }

    private static byte[] npy(String header, int values) {
        byte[] text = header.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        ByteBuffer made = ByteBuffer.allocate(10 + text.length + values).order(ByteOrder.LITTLE_ENDIAN);
        made.put((byte) 0x93).put("NUMPY".getBytes(java.nio.charset.StandardCharsets.US_ASCII)).put((byte) 1).put((byte) 0);
        made.putShort((short) text.length).put(text);
        return made.array();
    }
}
