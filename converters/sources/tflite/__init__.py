"""What a .tflite of others is made to be before it is a source: closed sizes, whole weights."""
