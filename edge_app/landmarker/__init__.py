"""MediaPipe's pose landmarker on our own runtimes: its two networks, and the steps between them."""
