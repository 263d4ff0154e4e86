"""Reading and writing: states without code, checked JSON, whole files, paths, output, the cache."""
