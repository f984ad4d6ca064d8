"""ONNX to a float .tflite in this process, by our own hands: no TensorFlow, no other converter.

::

    model ──reading──▶ nodes in order ──walk──▶ ops (ops/, one function for each) ──passes/──▶ ──writing──▶ file

Every value carries the order of its axes (``value.py``), so a layout is never guessed: an op asks for the order that it
needs, a Transpose costs nothing until some op wants it in memory.

============  ===============================================================================================
``ops/``      ``arithmetic`` < ``moving`` < ``products`` < ``spatial`` < ``steps``, ``quantized``: each imports what
              stands before it only
``passes/``   ``moving`` cancels and carries moves, ``folding`` fuses and takes constants in, ``engines`` writes what
              engines have kernels for; none knows another
============  ===============================================================================================
"""
