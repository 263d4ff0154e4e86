"""The training loop, where it runs, and how its state is kept."""
