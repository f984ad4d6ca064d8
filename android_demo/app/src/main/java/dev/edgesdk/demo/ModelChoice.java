package dev.edgesdk.demo;

import java.io.File;
import java.io.IOException;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import dev.edgesdk.edge.EdgeException;
import dev.edgesdk.edge.ModelSource;
import dev.edgesdk.tflite.AndroidDevice;

/** A model that can be picked: one that the app carries, or a file. */
final class ModelChoice {
    /** Before the name of a model that the app carries. */
    static final String CARRIED = "app:";
    /** Where those lie. */
    static final String FOLDER = "models";

    /** {@code app:NAME}, or a path; how an intent names it. */
    final String id;

    ModelChoice(String id) {
        this.id = id;
    }

    /** What it is called in a list. */
    String label() {
        return id.startsWith(CARRIED) ? id.substring(CARRIED.length()) : new File(id).getName();
    }

    /**
     * Its bytes, mapped where they lie.
     *
     * @throws EdgeException.Model it is not there, or cannot be mapped
     */
    ModelSource source(Context context) {
        if (!id.startsWith(CARRIED)) {
            return ModelSource.file(new File(id));
        }
        if (!ModelCatalog.carried(context).contains(label())) {
            throw new EdgeException.Model("the app carries no model called `" + label() + "`",
                    "it carries " + ModelCatalog.carried(context));
        }
        return AndroidDevice.asset(context, FOLDER + "/" + label());
    }

    /** Of the file. */
    long sizeBytes(Context context) {
        if (!id.startsWith(CARRIED)) {
            return new File(id).length();
        }
        try (AssetFileDescriptor asset = context.getAssets().openFd(FOLDER + "/" + label())) {
            return asset.getLength();
        } catch (IOException error) {
            throw new EdgeException.Model(label() + ": cannot be read: " + error.getMessage(), null);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ModelChoice && ((ModelChoice) other).id.equals(id);
    }

    @Override
    public int hashCode() {
        return id.hashCode();
    }

    @Override
    public String toString() {
        return label();
    }
}
