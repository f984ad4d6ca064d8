package dev.edgesdk.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

import dev.edgesdk.edge.Bundle;
import dev.edgesdk.edge.DType;
import dev.edgesdk.edge.EdgeSession;
import dev.edgesdk.edge.Port;

/** What the screens need to know of an open model. */
final class ModelFacts {
    final List<Port> inputs;
    final boolean hasGolden;
    final boolean takesPicture;
    /** One input of 64 floats: a digit as scikit-learn has them. */
    final boolean takesDrawing;

    ModelFacts(EdgeSession session) {
        Bundle bundle = session.bundle();
        inputs = Collections.unmodifiableList(new ArrayList<>(session.inputs()));
        hasGolden = bundle != null && !bundle.golden(session.receipt().opening().variant).isEmpty();
        boolean picture = false;
        for (Port port : inputs) {
            picture |= bundle != null && bundle.takesPicture(port.name);
        }
        takesPicture = picture;
        Port first = inputs.get(0);
        takesDrawing = !picture && inputs.size() == 1 && first.type() == DType.FLOAT32
                && first.sizeBytes() == 4L * DrawView.SIDE * DrawView.SIDE;
    }
}
