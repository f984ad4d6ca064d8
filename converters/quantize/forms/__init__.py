"""Float and integer files rewritten in ops that integers, or the delegate, take."""
