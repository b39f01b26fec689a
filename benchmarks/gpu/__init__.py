"""The encoder and FDSM on a GPU, by every runtime that is there."""
