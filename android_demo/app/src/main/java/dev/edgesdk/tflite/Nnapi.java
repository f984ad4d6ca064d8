package dev.edgesdk.tflite;

import android.os.Build;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.Engine;
import dev.edgesdk.edge.Executor;
import dev.edgesdk.edge.Model;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** NNAPI: Android 8.1 to 14, deprecated since Android 15. Without an accelerator's name its own CPU is left out. */
final class Nnapi {
    private static final int[] PREFERENCES = {NnApiDelegate.Options.EXECUTION_PREFERENCE_LOW_POWER,
        NnApiDelegate.Options.EXECUTION_PREFERENCE_FAST_SINGLE_ANSWER,
        NnApiDelegate.Options.EXECUTION_PREFERENCE_SUSTAINED_SPEED};

    private Nnapi() { }

    static Executor open(Model model, Engine.Options options) {
        Settings settings = new Settings("nnapi", options.delegate, "accelerator", "preference", "precision");
        int preference = settings.oneOf("preference", "low_power", "fast_single_answer", "sustained_speed");
        boolean half = settings.oneOf("precision", "float32", "float16") == 1;
        String accelerator = settings.text("accelerator");
        checkLevel(TfliteEngine.nnapiFault() == null, TfliteEngine.nnapiFault());
        checkLevel(accelerator == null || Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q,
                "an accelerator is chosen by name since Android 10 (API 29)");
        checkLevel(!half || Build.VERSION.SDK_INT >= Build.VERSION_CODES.P, "float16 is for Android 9 (API 28) on");
        NnApiDelegate delegate = new NnApiDelegate(how(model, options, accelerator, preference, half));
        TfliteExecutor made = TfliteExecutor.open(model, options, "nnapi", delegate,
                half ? Executor.Arithmetic.FLOAT16 : Executor.Arithmetic.FLOAT32);
        checkErrors(made, delegate);
        made.note(accelerator == null ? "NNAPI chose the accelerator, and does not say which"
                : "the accelerator is " + accelerator);
        made.note("ops that NNAPI leaves run on the engine's own kernels");
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.VANILLA_ICE_CREAM) {
            made.note(TfliteEngine.NNAPI_DEPRECATED);
        }
        return made;
    }

    private static NnApiDelegate.Options how(Model model, Engine.Options options, String accelerator, int preference,
            boolean half) {
        NnApiDelegate.Options how = new NnApiDelegate.Options();
        how.setExecutionPreference(PREFERENCES[preference < 0 ? 1 : preference]);
        if (accelerator != null) {
            how.setAcceleratorName(accelerator);
        }
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) {
            how.setUseNnapiCpu(false);
            if (options.cacheDir != null) {
                how.setCacheDir(options.cacheDir.getPath());
                how.setModelToken(model.sha256.substring(0, 32));
            }
        }
        if (half) {
            how.setAllowFp16(true);
        }
        return how;
    }

    /** A delegate with errors computes nothing, and the interpreter does not say so. */
    private static void checkErrors(TfliteExecutor made, NnApiDelegate delegate) {
        if (delegate.hasErrors()) {
            int code = delegate.getNnapiErrno();
            made.close();
            throw new EdgeException.DelegateUnavailable("nnapi: the driver answered with error " + code,
                    "take gpu or xnnpack; `adb logcat` says more");
        }
    }

    private static void checkLevel(boolean holds, String why) {
        if (!holds) {
            throw new EdgeException.DelegateUnavailable("nnapi: " + why, "take gpu or xnnpack");
        }
    }
}
