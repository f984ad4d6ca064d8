package dev.edgesdk.edge;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

import org.json.JSONArray;
import org.json.JSONObject;

/** TensorFlow 2.16.1 in a child process, {@code tests/android/engine_child.py}: real numbers of the APK's own version. */
final class PipeEngine implements Engine, AutoCloseable {
    private final Process child;
    private final DataInputStream answers;
    private final OutputStream requests;
    private final String version;
    private int last;
    /** What stands for the GPU: of {@code engine_child.py}. */
    String gpu = "wrong";

    /** Starts the child; {@code python} has TensorFlow. */
    PipeEngine(String python) throws IOException {
        child = new ProcessBuilder(python, System.getProperty("edge.child"))
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        answers = new DataInputStream(new BufferedInputStream(child.getInputStream()));
        requests = child.getOutputStream();
        version = answer().getString("version");
    }

    @Override
    public String name() {
        return "tensorflow " + version;
    }

    @Override
    public List<Candidate> found() {
        return Collections.singletonList(new Candidate("gpu", Policy.Accelerator.GPU));
    }

    /** {@code gpu} is one whose results are off, unless a test says otherwise. */
    @Override
    public Executor open(Model model, Candidate candidate, Options options) {
        last++;
        try {
            load(model, candidate, options, last);
            return new Piped(model, options, candidate, last);
        } catch (IOException error) {
            throw new EdgeException.Model("the engine's process ended: " + error.getMessage(), null);
        }
    }

    private void load(Model model, Candidate candidate, Options options, int id) throws IOException {
        File file = File.createTempFile("edge", ".tflite");
        Files.write(file.toPath(), Hashes.bytes(model.content));
        String delegate = candidate.name.equals("gpu") ? gpu : candidate.name;
        JSONObject answer = ask(new JSONObject().put("id", id).put("path", file.getPath()).put("delegate", delegate)
                .put("threads", options.threads), Collections.<ByteBuffer>emptyList());
        Files.delete(file.toPath());
        if (answer.has("error")) {
            throw new EdgeException.Model(model.name + ": " + name() + " refuses the file: "
                    + answer.getString("error").replaceAll("\\s+", " "), null);
        }
    }

    @Override
    public void close() throws InterruptedException {
        child.destroy();
        child.waitFor();
    }

    private JSONObject ask(JSONObject request, List<ByteBuffer> data) throws IOException {
        requests.write((request + "\n").getBytes(StandardCharsets.UTF_8));
        for (ByteBuffer one : data) {
            requests.write(Hashes.bytes(one));
        }
        requests.flush();
        return answer();
    }

    private JSONObject answer() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int one = answers.read(); one != '\n'; one = answers.read()) {
            if (one < 0) {
                throw new IOException("end of its output");
            }
            line.write(one);
        }
        return new JSONObject(new String(line.toByteArray(), StandardCharsets.UTF_8));
    }

    private final class Piped extends InterpreterExecutor {
        private final Candidate candidate;
        private final int id;
        private final Options options;

        Piped(Model model, Options options, Candidate candidate, int id) {
            super(model, options);
            this.options = options;
            this.candidate = candidate;
            this.id = id;
        }

        @Override
        public String engine() {
            return name();
        }

        @Override
        public Arithmetic arithmetic() {
            return Arithmetic.FLOAT32;
        }

        @Override
        public List<String> notes() {
            return Collections.emptyList();
        }

        /** By places in the first subgraph, by name in others, as {@code TfliteExecutor} does. */
        @Override
        protected void run(Model entry, ByteBuffer[] inputs, ByteBuffer[] outputs) {
            boolean named = entry.subgraph != 0;
            ByteBuffer[] ordered = new ByteBuffer[inputs.length];
            JSONArray names = new JSONArray(), wanted = new JSONArray();
            for (int place = 0; place < inputs.length; place++) {
                ordered[named ? place : entry.inputPlace(place)] = (ByteBuffer) inputs[place].duplicate().clear();
                names.put(entry.inputs.get(place).name);
            }
            for (Port port : entry.outputs) {
                wanted.put(port.name);
            }
            JSONArray sizes = new JSONArray();
            List<ByteBuffer> data = new ArrayList<>();
            for (ByteBuffer one : ordered) {
                sizes.put(one.limit());
                data.add(one);
            }
            JSONObject request = new JSONObject().put("run", id).put("sizes", sizes);
            if (named) {
                request.put("key", entry.key).put("inputs", names).put("outputs", wanted);
            }
            read(entry, named, asked(request, data), outputs);
        }

        private void read(Model entry, boolean named, JSONObject answer, ByteBuffer[] outputs) {
            if (answer.has("error")) {
                throw new EdgeException.Model(answer.getString("error"), null);
            }
            byte[][] made = new byte[answer.getJSONArray("sizes").length()][];
            try {
                for (int place = 0; place < made.length; place++) {
                    made[place] = new byte[answer.getJSONArray("sizes").getInt(place)];
                    answers.readFully(made[place]);
                }
            } catch (IOException error) {
                throw new EdgeException.Model("the engine's process ended: " + error.getMessage(), null);
            }
            for (int place = 0; place < outputs.length; place++) {
                outputs[place].clear();
                outputs[place].put(made[named ? place : entry.outputPlace(place)]);
            }
        }

        private JSONObject asked(JSONObject request, List<ByteBuffer> data) {
            try {
                return ask(request, data);
            } catch (IOException error) {
                throw new EdgeException.Model("the engine's process ended: " + error.getMessage(), null);
            }
        }

        @Override
        protected void resetTensors() {
            asked(new JSONObject().put("reset", id), Collections.<ByteBuffer>emptyList());
        }

        @Override
        protected void reopen() {
            try {
                load(model, candidate, options, id);
            } catch (IOException error) {
                throw new EdgeException.Model("the engine's process ended: " + error.getMessage(), null);
            }
        }

        @Override
        public Facts.Placement placement() {
            return candidate.name.equals("cpu") ? new Facts.Placement(0, 0, null) : null;
        }

        @Override
        public Integer steps() {
            return null;
        }

        @Override
        public void cancel(boolean cancelled) { }

        @Override
        public void close() {
            asked(new JSONObject().put("close", id), Collections.<ByteBuffer>emptyList());
        }
    }
}
