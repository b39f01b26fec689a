"""Sessions that run the encoder's ONNX file."""
