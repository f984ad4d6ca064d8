"""Ops that an int8 file leaves in float where int8 has no step for what they compute: one rule a file, one choice.

==============  =======================================================================================================
``joins``       outputs of different kind, joined at the end
``suppressed``  what leads to a suppression of boxes, and what reads those that it keeps
``tails``       what follows the last product, where one scale cannot hold it or a rounded value decides
``drowned``     what stands before a logarithm, a root or a divisor whose small values int8 makes zero
``decisions``   comparisons and signs of what no product reaches: a threshold that is rounded is another threshold
``endless``     masks whose size counts, as far as no scale reaches
``scattered``   scatters, whose int8 kernel knows no zero
``holes``       values that are not a number, and what tells them from others
==============  =======================================================================================================
"""
