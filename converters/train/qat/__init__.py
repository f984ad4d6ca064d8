"""Quantization-aware training on the int8 file itself.

The source is lowered and quantized once before training, as without it. The int8 file that comes out, the
*template*, is then executed again in the framework, op by op (``plan``, ``ops``, ``backend_*``): each of its int8
tensors is a fake-quantization point, its weights are the float file's constants, and its scales are learned. After
training the new scales, weights and biases are written into the template (``writing``). What was trained is what is
deployed: there is no second lowering, no second quantizer and no search for which range belongs to which tensor.

Why not tfmot and PT2E, which wrap layers of the framework. Both were tried (research, 2 to 4 steps of disagreement on
nets with squeeze-excite and transposed convolution): they guess where the converter will quantize, tfmot refuses Keras
3 and a third of the layers, and ranges must be found again in the file by value. The price of this way: BatchNorm is
folded (its statistics are frozen) and dropout is gone while the stage trains, and the object that trains is a stand-in
for the user's: it takes and gives the same, but its layers are the file's ops.
"""
