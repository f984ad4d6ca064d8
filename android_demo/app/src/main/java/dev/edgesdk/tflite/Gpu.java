package dev.edgesdk.tflite;

import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Executor;
import dev.edgesdk.edge.Model;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.gpu.GpuDelegateFactory;

/** The GPU delegate: OpenCL, else OpenGL. */
final class Gpu {
    private Gpu() { }

    static Executor open(Model model, Engine.Options options) {
        Settings settings = new Settings("gpu", options.delegate, "precision", "preference", "backend");
        boolean exact = settings.oneOf("precision", "float16", "float32") == 1;
        int preference = settings.oneOf("preference", "fast_single_answer", "sustained_speed");
        int backend = settings.oneOf("backend", "opencl", "opengl");
        GpuDelegateFactory.Options how = new GpuDelegateFactory.Options();
        how.setPrecisionLossAllowed(!exact);
        how.setQuantizedModelsAllowed(true);
        how.setInferencePreference(preference == 1 ? GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED
                : GpuDelegateFactory.Options.INFERENCE_PREFERENCE_FAST_SINGLE_ANSWER);
        if (backend >= 0) {
            how.setForceBackend(backend == 0 ? GpuDelegateFactory.Options.GpuBackend.OPENCL
                    : GpuDelegateFactory.Options.GpuBackend.OPENGL);
        }
        if (options.cacheDir != null) {
            how.setSerializationParams(options.cacheDir.getPath(), token(model, exact, preference));
        }
        TfliteExecutor made = TfliteExecutor.open(model, options, "gpu", delegate(how),
                exact ? Executor.Arithmetic.FLOAT32 : Executor.Arithmetic.FLOAT16);
        made.note("ops that the GPU leaves run on the engine's own kernels");
        if (!TfliteEngine.isGpuListed()) {
            made.note("TensorFlow Lite's list of tested GPUs does not name this device");
        }
        return made;
    }

    /** Compiled kernels differ by all of these. */
    private static String token(Model model, boolean exact, int preference) {
        return model.sha256.substring(0, 32) + (exact ? "_float32" : "_float16") + (preference == 1 ? "_sustained" : "");
    }

    private static GpuDelegate delegate(GpuDelegateFactory.Options how) {
        try {
            return new GpuDelegate(how);
        } catch (LinkageError | RuntimeException error) {
            throw new EdgeException.DelegateUnavailable("gpu: " + error.getMessage(),
                    "this APK has no GPU library for this ABI, or the system has no GPU driver: take xnnpack");
        }
    }
}
