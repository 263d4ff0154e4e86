"""One paper, one file; no file here imports another."""
