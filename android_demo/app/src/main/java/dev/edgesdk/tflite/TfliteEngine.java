package dev.edgesdk.tflite;

import java.util.List;

import android.content.Context;
import dev.edgesdk.edge.Candidate;
import dev.edgesdk.edge.Device;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Executor;
import dev.edgesdk.edge.MemoryLimits;
import dev.edgesdk.edge.Model;

/**
 * TensorFlow Lite 2.16.1. Delegates and their options:
 *
 * <ul>
 * <li>{@code xnnpack}, {@code cpu} (the engine's own kernels): threads
 * <li>{@code gpu}: {@code precision} float16 (default) or float32; {@code preference} fast_single_answer (default) or
 *     sustained_speed; {@code backend} opencl or opengl
 * <li>{@code nnapi}, API 27 and later, deprecated since Android 15: {@code accelerator} its name (API 29);
 *     {@code preference} low_power, fast_single_answer or sustained_speed; {@code precision} float16 or float32
 * </ul>
 */
public final class TfliteEngine implements Engine {
    /** On this device. */
    public TfliteEngine() { }

    /** This device as the receipt names it. */
    public static Device device() {
        throw new UnsupportedOperationException("being written");
    }

    /** What Android leaves to this app: the kernel's MemAvailable, and ActivityManager's less its threshold. */
    public static MemoryLimits limits(Context context) {
        throw new UnsupportedOperationException("being written");
    }

    @Override
    public String name() {
        throw new UnsupportedOperationException("being written");
    }

    @Override
    public List<Candidate> found() {
        throw new UnsupportedOperationException("being written");
    }

    @Override
    public Executor open(Model model, Candidate candidate, Options options) {
        throw new UnsupportedOperationException("being written");
    }
}
