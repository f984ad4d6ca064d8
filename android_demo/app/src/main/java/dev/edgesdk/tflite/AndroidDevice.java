package dev.edgesdk.tflite;

import android.app.ActivityManager;
import android.content.Context;
import android.content.res.AssetFileDescriptor;
import android.os.Build;
import dev.edgesdk.edge.Device;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.MemoryLimits;
import dev.edgesdk.edge.ModelSource;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.channels.FileChannel;

/** What Android alone knows: this device, its memory, and where an asset lies. */
public final class AndroidDevice {
    private AndroidDevice() { }

    /** For the receipt. */
    public static Device thisDevice() {
        String abi = Build.SUPPORTED_ABIS.length == 0 ? "unknown" : Build.SUPPORTED_ABIS[0];
        return new Device(Build.MANUFACTURER + " " + Build.MODEL, abi,
                "Android " + Build.VERSION.RELEASE + " (API " + Build.VERSION.SDK_INT + ")",
                Runtime.getRuntime().availableProcessors());
    }

    /** The kernel's MemAvailable, or what is free before Android ends apps, whichever is tighter. */
    public static MemoryLimits limits(Context context) {
        final ActivityManager activities = (ActivityManager) context.getSystemService(Context.ACTIVITY_SERVICE);
        final MemoryLimits system = MemoryLimits.system();
        return new MemoryLimits() {
            @Override
            public Limit tightest() {
                ActivityManager.MemoryInfo info = new ActivityManager.MemoryInfo();
                activities.getMemoryInfo(info);
                Limit android = new Limit("Android", Math.max(0, info.availMem - info.threshold));
                Limit kernel = system.tightest();
                return kernel == null || android.freeBytes < kernel.freeBytes ? android : kernel;
            }
        };
    }

    /**
     * Maps an asset in place.
     *
     * @throws EdgeException.Model there is none, or it is compressed in the APK
     */
    public static ModelSource asset(Context context, String path) {
        try (AssetFileDescriptor asset = context.getAssets().openFd(path);
                FileInputStream file = new FileInputStream(asset.getFileDescriptor())) {
            return ModelSource.mapped(path, file.getChannel().map(FileChannel.MapMode.READ_ONLY, asset.getStartOffset(),
                    asset.getDeclaredLength()));
        } catch (IOException error) {
            throw new EdgeException.Model("asset " + path + ": cannot be mapped: " + error.getMessage(),
                    "it is absent, or compressed: `edge-sdk android check` says which");
        }
    }
}
