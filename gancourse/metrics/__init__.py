"""What is measured: modes of mixtures, and trained judges with the scores that rest on them."""

from gancourse.metrics.modes import ModeScores, histogram_density, mode_scores, numeric_jsd

__all__ = ["ModeScores", "histogram_density", "mode_scores", "numeric_jsd"]
