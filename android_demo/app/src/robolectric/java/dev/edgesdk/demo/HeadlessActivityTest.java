package dev.edgesdk.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

import android.content.Intent;

import org.json.JSONObject;
import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowLog;

@RunWith(RobolectricTestRunner.class)
public final class HeadlessActivityTest {
    @Rule
    public final Bench bench = new Bench();

    @Test
    public void measuresAndWritesTheSharedSchema() throws Exception {
        JSONObject result = run("--model=app:digits.edge --delegate=xnnpack --threads=2 --runs=150 --out=r1.json"
                + " --run-id=abc-1", "r1.json");
        assertEquals(result.toString(), "edge-sdk-benchmark/1", result.getString("schema"));
        assertEquals("abc-1", result.getJSONObject("meta").getString("uuid"));
        JSONObject one = result.getJSONArray("results").getJSONObject(0);
        assertEquals("xnnpack", one.getJSONObject("backend_info").getString("delegate_name"));
        assertEquals("verified against the bundle's golden outputs",
                one.getJSONObject("backend_info").getString("self_test"));
        assertEquals(2, one.getJSONObject("backend_settings").getInt("threads"));
        JSONObject timed = one.getJSONObject("performance_run");
        assertTrue(timed.getInt("measured_samples") >= 150);
        assertTrue(timed.getJSONObject("latency_ms").has("p99"));
        assertEquals(0, result.getJSONObject("conditions").getJSONObject("before").getInt("thermal_status"));
        assertEquals("EDGE-SDK-END abc-1 ok " + file("r1.json"), lastLine());
        keep("r1.json");
    }

    @Test
    public void aBareFileByItsPath() throws Exception {
        File model = bench.copy("plain.tflite");
        JSONObject result = run("--model=\"" + model + "\" --delegate=cpu --seconds=0.2 --warm-up=3 --out=bare.json",
                "bare.json");
        assertEquals(result.toString(), "edge-sdk-benchmark/1", result.getString("schema"));
        JSONObject one = result.getJSONArray("results").getJSONObject(0);
        assertEquals(model.length(), one.getJSONObject("backend_settings").getLong("model_bytes"));
        assertEquals(3, one.getJSONObject("warm_up").getInt("queries"));
        assertTrue(one.getJSONObject("performance_run").getJSONObject("loadgen_info").getBoolean("is_min_duration_met"));
        keep("bare.json");
    }

    @Test
    public void kernelsAreTimedOneAfterTheOther() throws Exception {
        File archive = new File(bench.context.getCacheDir(), "kernels.zip");
        byte[] model = Files.readAllBytes(bench.copy("plain.tflite").toPath());
        try (ZipOutputStream made = new ZipOutputStream(Files.newOutputStream(archive.toPath()))) {
            for (String name : new String[] {"0.tflite", "1.plain.tflite", "2.tflite"}) {
                made.putNextEntry(new ZipEntry(name));
                made.write(name.startsWith("2") ? new byte[100] : model);
            }
        }
        JSONObject result = run("--kernels=" + archive + " --threads=2 --out=k.json --run-id=abc-2", "k.json");
        assertEquals(result.toString(), "edge-sdk-android-calibration/1", result.getString("schema"));
        assertEquals("abc-2", result.getString("run_id"));
        assertEquals(3, result.getInt("done"));
        assertEquals(0, result.getJSONArray("looks").getJSONObject(0).getInt("thermal_status"));
        List<String> lines = Files.readAllLines(file("k.json.lines").toPath());
        assertEquals(3, lines.size());
        JSONObject first = new JSONObject(lines.get(0));
        assertEquals("0.tflite", first.getString("name"));
        assertTrue(lines.get(0), first.getJSONArray("took_us").length() >= 12);
        assertTrue(lines.get(0), first.getJSONArray("took_us").getDouble(0) > 0);
        assertTrue(new JSONObject(lines.get(1)).has("warm_up"));
        assertTrue(lines.get(2), new JSONObject(lines.get(2)).getString("refused").contains("kernel.tflite"));
        assertEquals("every one is closed again", 0, TableEngine.open);
        keep("k.json");
        keep("k.json.lines");
        JSONObject error = run("--kernels=/nowhere.zip", "result.json");
        assertTrue(error.toString(), error.getString("message").contains("/nowhere.zip"));
        error = run("--kernels=/nowhere.zip --model=app:digits.edge --runs=5", "result.json");
        assertTrue(error.toString(), error.getString("message").contains("--model: --kernels goes with --threads alone"));
    }

    @Test
    public void nonsenseIsAnErrorFileThatNamesAllOfIt() throws Exception {
        JSONObject error = run("--model=app:digits.edge --runs=none --colour=red wat --out=../../evil.json", "result.json");
        assertEquals("edge-sdk-benchmark-error/1", error.getString("schema"));
        for (String part : new String[] {"--runs=none", "--colour", "`wat`", "--out=../../evil.json"}) {
            assertTrue(error.toString(), error.getString("message").contains(part));
        }
        assertTrue(lastLine().contains(" error "));
    }

    @Test
    public void noArgumentsAtAll() throws Exception {
        assertTrue(run(null, "result.json").getString("message").contains("--model is missing"));
    }

    @Test
    public void aModelThatIsNotThere() throws Exception {
        JSONObject error = run("--model=app:nothing.edge --out=a.json --run-id=x", "a.json");
        assertEquals("ModelError", error.getString("error"));
        assertEquals("x", error.getString("run_id"));
        assertTrue(error.getString("hint").contains("digits.edge"));
        assertTrue(run("--model=/nowhere/m.tflite", "result.json").getString("message").contains("/nowhere/m.tflite"));
    }

    @Test
    public void aDelegateThatIsNotThereIsNeverReplaced() throws Exception {
        JSONObject error = run("--model=app:digits.edge --delegate=gpu", "result.json");
        assertEquals("DelegateUnavailableError", error.getString("error"));
        assertTrue(error.getString("message").contains("this engine has none"));
        JSONObject wrong = run("--model=app:digits.edge --delegate=nnapi", "result.json");
        assertTrue(wrong.toString(), wrong.getString("message").contains("wrong-results"));
        assertTrue(run("--model=app:digits.edge --delegate=tpu", "result.json").getString("message").contains("tpu"));
    }

    @Test
    public void aDamagedBundle() throws Exception {
        File model = bench.copy("digits.edge");
        byte[] bytes = Files.readAllBytes(model.toPath());
        bytes[bytes.length / 2] ^= 1;
        Files.write(model.toPath(), bytes);
        JSONObject error = run("--model=" + model, "result.json");
        assertTrue(error.toString(), error.getString("error").startsWith("Bundle"));
    }

    @Test
    public void whatTheAppCarriesIsDamagedOrNotSigned() throws Exception {
        bench.carry("flipped.apk");
        JSONObject error = run("--model=app:flipped.edge", "result.json");
        assertEquals("BundleIntegrityError", error.getString("error"));
        bench.carry("keyed.apk");
        error = run("--model=app:digits.edge", "result.json");
        assertEquals("BundleSignatureError", error.getString("error"));
        error = run("--model=" + Bench.made("stranger.edge"), "result.json");
        assertTrue(error.toString(), error.getString("message").contains("trusted are"));
        assertEquals("edge-sdk-benchmark/1",
                run("--model=" + Bench.made("signed.edge") + " --runs=5 --seconds=0", "result.json").getString("schema"));
    }

    @Test
    public void androidKilledItInTheMiddle() throws Exception {
        Intent intent = intent("--model=app:digits.edge --run-id=k");
        android.os.Bundle state = new android.os.Bundle();
        ActivityController<HeadlessActivity> controller = Robolectric.buildActivity(HeadlessActivity.class, intent);
        controller.create(state);
        assertTrue(Bench.json(file("result.json")).getString("message").contains("ended the app while it measured"));
        assertTrue(controller.get().isFinishing());
    }

    @Test
    public void aSecondRunWhileTheFirstMeasures() throws Exception {
        TableEngine.gate = new CountDownLatch(1);
        ActivityController<HeadlessActivity> controller = Robolectric.buildActivity(HeadlessActivity.class,
                intent("--model=app:digits.edge --runs=5 --seconds=0 --out=one.json")).setup();
        controller.newIntent(intent("--model=app:digits.edge --out=two.json --run-id=second"));
        assertTrue(Bench.json(file("two.json")).getString("message").contains("busy"));
        assertTrue(lastLine().startsWith("EDGE-SDK-END second error "));
        TableEngine.gate.countDown();
        bench.await();
        assertEquals("edge-sdk-benchmark/1", Bench.json(file("one.json")).getString("schema"));
    }

    private JSONObject run(String arguments, String name) throws Exception {
        ActivityController<HeadlessActivity> controller = Robolectric.buildActivity(HeadlessActivity.class,
                intent(arguments)).setup();
        bench.await();
        assertTrue(controller.get().isFinishing());
        assertFalse(new File(file(name) + ".part").exists());
        return Bench.json(file(name));
    }

    private Intent intent(String arguments) {
        return new Intent(bench.context, HeadlessActivity.class).putExtra("args", arguments);
    }

    private File file(String name) {
        return new File(bench.context.getExternalFilesDir(null), name);
    }

    private static String lastLine() {
        List<ShadowLog.LogItem> all = ShadowLog.getLogsForTag("edge-sdk");
        return all.get(all.size() - 1).msg;
    }

    /** For Python, which holds it against the schema. */
    private void keep(String name) throws Exception {
        File folder = new File(System.getProperty("edge.work"), "results");
        folder.mkdirs();
        Files.copy(file(name).toPath(), new File(folder, name).toPath(), StandardCopyOption.REPLACE_EXISTING);
    }
}
