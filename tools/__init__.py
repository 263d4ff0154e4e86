"""What keeps the notebooks true: run from the repository as ``python -m tools.sync`` and so on."""
