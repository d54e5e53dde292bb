"""The embedded captioner and writer, which need no server and no download."""
