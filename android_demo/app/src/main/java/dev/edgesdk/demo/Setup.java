package dev.edgesdk.demo;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

import android.content.Context;
import dev.edgesdk.edge.Cancellation;
import dev.edgesdk.edge.Policy;
import dev.edgesdk.edge.SessionOptions;
import dev.edgesdk.tflite.AndroidDevice;

/** What to open, and how: two equal ones may share a session. */
final class Setup {
    final ModelChoice model;
    final String delegate;
    final Map<String, String> delegateOptions;
    final int threads;
    final String policy;
    final String variant;

    Setup(ModelChoice model, String delegate, Map<String, String> delegateOptions, int threads, String policy,
            String variant) {
        this.model = model;
        this.delegate = delegate;
        this.delegateOptions = Collections.unmodifiableMap(new LinkedHashMap<>(delegateOptions));
        this.threads = threads;
        this.policy = policy;
        this.variant = variant;
    }

    /** For the wrapper; a named delegate is the only one that is tried. */
    SessionOptions options(Context context, Cancellation cancellation) {
        SessionOptions made = SessionOptions.defaults().threads(threads).cancellation(cancellation)
                .cacheDir(context.getCodeCacheDir()).device(AndroidDevice.thisDevice()).limits(AndroidDevice.limits(context));
        byte[][] keys = TrustedKeys.of(context);
        if (keys.length > 0) {
            made = made.trustedKeys(keys);
        }
        if (!policy.isEmpty()) {
            made = made.policy(Policy.fromText(policy));
        }
        if (variant != null) {
            made = made.variants(variant);
        }
        if (!delegate.equals("auto")) {
            made = made.delegates(delegate);
        }
        for (Map.Entry<String, String> option : delegateOptions.entrySet()) {
            made = made.delegateOption(delegate, option.getKey(), option.getValue());
        }
        return made;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Setup && ((Setup) other).key().equals(key());
    }

    @Override
    public int hashCode() {
        return key().hashCode();
    }

    private String key() {
        return model.id + "\n" + delegate + "\n" + delegateOptions + "\n" + threads + "\n" + policy + "\n" + variant;
    }
}
