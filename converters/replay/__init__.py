"""A .tflite file executed again in TensorFlow or PyTorch, op by op, with gradients.

``plan`` reads an int8 file beside the float file that it was made from; ``ops`` has TFLite's ops over the primitives of
``backend_*``; ``engine`` runs them in order. Training (:mod:`..train.qat`), tuning and
the ranking of ops (:mod:`..search.predicting.ranking`) differ in what they make of constants and rounding.
"""
