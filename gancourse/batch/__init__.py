"""Lessons run as a batch: found and read, executed, collected into pages and claims.

What is wrong with a request is found before the first cell runs, and without importing PyTorch
unless the request itself names a device or a data set.
"""
