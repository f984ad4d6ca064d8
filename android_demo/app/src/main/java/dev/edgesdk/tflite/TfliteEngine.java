package dev.edgesdk.tflite;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

import android.os.Build;
import dev.edgesdk.edge.Candidate;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Executor;
import dev.edgesdk.edge.Model;
import dev.edgesdk.edge.Policy;
import org.tensorflow.lite.TensorFlowLite;
import org.tensorflow.lite.gpu.CompatibilityList;

/**
 * TensorFlow Lite 2.16.1. Delegates and their options:
 *
 * <ul>
 * <li>{@code xnnpack}, {@code cpu} (the engine's own kernels): none; threads are the session's
 * <li>{@code gpu}: {@code precision} float16 (default) or float32; {@code preference} fast_single_answer (default) or
 *     sustained_speed; {@code backend} opencl or opengl (default: the first that works)
 * <li>{@code nnapi}, API 27 and later, deprecated since Android 15: {@code accelerator} its name (API 29);
 *     {@code preference} low_power, fast_single_answer or sustained_speed; {@code precision} float32 (default) or
 *     float16 (API 28)
 * </ul>
 */
public final class TfliteEngine implements Engine {
    /**
     * Name and version.
     *
     * @throws EdgeException.Target the APK has no native code for this device
     */
    @Override
    public String name() {
        try {
            return "tensorflow-lite " + TensorFlowLite.runtimeVersion();
        } catch (LinkageError error) {
            throw new EdgeException.Target("TensorFlow Lite cannot be loaded: the APK has no native code for "
                    + Arrays.toString(Build.SUPPORTED_ABIS), "build it again: edge-sdk android build --abi ABI");
        }
    }

    /**
     * The GPU where TensorFlow Lite's own list names this device; NNAPI is not tried by itself, for it is deprecated and
     * often a CPU in disguise. Either can be named.
     */
    @Override
    public List<Candidate> found() {
        List<Candidate> made = new ArrayList<>();
        if (isGpuListed()) {
            made.add(new Candidate("gpu", Policy.Accelerator.GPU));
        }
        return Collections.unmodifiableList(made);
    }

    /** Whether TensorFlow Lite's list of tested devices names this one; a device that is not listed may work, too. */
    public static boolean isGpuListed() {
        try (CompatibilityList list = new CompatibilityList()) {
            return list.isDelegateSupportedOnThisDevice();
        } catch (LinkageError error) {
            return false;
        }
    }

    /** Why NNAPI cannot be had here, or null; {@link #NNAPI_DEPRECATED} says more. */
    public static String nnapiFault() {
        return Build.VERSION.SDK_INT >= Build.VERSION_CODES.O_MR1 ? null
                : "NNAPI needs Android 8.1 (API 27), this is API " + Build.VERSION.SDK_INT;
    }

    /** What a user should know before choosing NNAPI. */
    public static final String NNAPI_DEPRECATED = "NNAPI is deprecated since Android 15: prefer gpu or xnnpack";

    @Override
    public Executor open(Model model, Candidate candidate, Options options) {
        switch (candidate.name) {
            case "xnnpack":
            case "cpu":
                Settings.none(candidate.name, options.delegate);
                return TfliteExecutor.open(model, options, candidate.name, null, Executor.Arithmetic.FLOAT32);
            case "gpu":
                return Gpu.open(model, options);
            case "nnapi":
                return Nnapi.open(model, options);
            default:
                throw new EdgeException.DelegateUnavailable(candidate.name + ": " + name() + " has no such delegate",
                        "take gpu, nnapi, xnnpack or cpu");
        }
    }
}
