"""A package, since fixtures of a package's scope end with the last test of this folder."""
