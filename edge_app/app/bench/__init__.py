"""`edge-app bench`: latency, memory, processor time and energy of the whole app."""
