package dev.edgesdk.edge;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Base64;

import org.json.JSONArray;
import org.json.JSONObject;

/** What {@code python -m tests.android.vectors} wrote. */
final class Vectors {
    private Vectors() { }

    static File file(String name) {
        return new File(System.getProperty("edge.made"), name);
    }

    static byte[] bytes(String name) throws IOException {
        return Files.readAllBytes(file(name).toPath());
    }

    static JSONArray list(String name) throws IOException {
        return new JSONArray(new String(bytes(name), StandardCharsets.UTF_8));
    }

    static JSONObject object(String name) throws IOException {
        return new JSONObject(new String(bytes(name), StandardCharsets.UTF_8));
    }

    static ModelSource source(byte[] data) {
        ByteBuffer direct = ByteBuffer.allocateDirect(data.length);
        direct.put(data).flip();
        return ModelSource.mapped("test", direct);
    }

    static EdgeArray array(JSONObject from) {
        JSONArray extents = from.getJSONArray("shape");
        int[] shape = new int[extents.length()];
        for (int index = 0; index < shape.length; index++) {
            shape[index] = extents.getInt(index);
        }
        byte[] data = Base64.getDecoder().decode(from.getString("data"));
        return EdgeArray.wrap(DType.of(from.getString("dtype")), ByteBuffer.wrap(data), shape);
    }
}
