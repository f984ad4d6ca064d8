package dev.edgesdk.demo;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.ImageDecoder;
import android.graphics.Matrix;
import android.media.ExifInterface;
import android.net.Uri;
import android.os.Build;
import android.util.Size;
import dev.edgesdk.edge.DType;
import dev.edgesdk.edge.EdgeArray;
import dev.edgesdk.edge.EdgeException;

/** Pictures as arrays: uint8 [height, width, 3], RGB, upright. */
final class Pictures {
    /** A picture with a longer side is halved until it has not: 16 million dots are 64 MiB. */
    private static final int LONGEST = 4096;

    private Pictures() { }

    /**
     * Reads a document.
     *
     * @throws EdgeException it is no picture that Android knows
     */
    static EdgeArray read(ContentResolver resolver, Uri uri) {
        try {
            Bitmap bitmap = Build.VERSION.SDK_INT >= 28 ? decode(resolver, uri) : decodeOld(resolver, uri);
            return array(bitmap);
        } catch (IOException | SecurityException error) {
            throw new EdgeException("the picture cannot be read: " + error.getMessage(), "take a JPEG, PNG or WebP");
        }
    }

    static EdgeArray array(Bitmap bitmap) {
        int width = bitmap.getWidth();
        int height = bitmap.getHeight();
        EdgeArray made = EdgeArray.zeros(DType.UINT8, height, width, 3);
        ByteBuffer buffer = made.buffer();
        int[] row = new int[width];
        for (int y = 0; y < height; y++) {
            bitmap.getPixels(row, 0, width, 0, y, width, 1);
            for (int dot : row) {
                buffer.put((byte) (dot >> 16)).put((byte) (dot >> 8)).put((byte) dot);
            }
        }
        return made;
    }

    /** Turns it upright by itself. */
    private static Bitmap decode(ContentResolver resolver, Uri uri) throws IOException {
        return ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, uri),
                new ImageDecoder.OnHeaderDecodedListener() {
                    @Override
                    public void onHeaderDecoded(ImageDecoder decoder, ImageDecoder.ImageInfo info,
                            ImageDecoder.Source source) {
                        Size size = info.getSize();
                        decoder.setAllocator(ImageDecoder.ALLOCATOR_SOFTWARE);
                        decoder.setTargetSampleSize(halvings(size.getWidth(), size.getHeight()));
                    }
                });
    }

    private static Bitmap decodeOld(ContentResolver resolver, Uri uri) throws IOException {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        try (InputStream stream = resolver.openInputStream(uri)) {
            BitmapFactory.decodeStream(stream, null, options);
        }
        options.inSampleSize = halvings(options.outWidth, options.outHeight);
        options.inJustDecodeBounds = false;
        Bitmap bitmap;
        try (InputStream stream = resolver.openInputStream(uri)) {
            bitmap = BitmapFactory.decodeStream(stream, null, options);
        }
        if (bitmap == null) {
            throw new IOException("not a picture");
        }
        Matrix turn = new Matrix();
        try (InputStream stream = resolver.openInputStream(uri)) {
            turn.setRotate(degrees(stream));
        }
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.getWidth(), bitmap.getHeight(), turn, true);
    }

    private static int degrees(InputStream stream) throws IOException {
        if (stream == null) {
            return 0;
        }
        int orientation = new ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION,
                ExifInterface.ORIENTATION_NORMAL);
        switch (orientation) {
            case ExifInterface.ORIENTATION_ROTATE_90: return 90;
            case ExifInterface.ORIENTATION_ROTATE_180: return 180;
            case ExifInterface.ORIENTATION_ROTATE_270: return 270;
            default: return 0;
        }
    }

    private static int halvings(int width, int height) {
        int size = 1;
        while (Math.max(width, height) / size > LONGEST) {
            size *= 2;
        }
        return size;
    }
}
