"""What is measured: modes of mixtures, and trained judges with the scores that rest on them."""

from gancourse.metrics.judges import JUDGES, FaceJudge, Judge, load_judge
from gancourse.metrics.modes import ModeScores, histogram_density, mode_scores, numeric_jsd
from gancourse.metrics.scores import inception_score, judge_fid, judge_kid, nearest_neighbours

__all__ = [
    "JUDGES",
    "FaceJudge",
    "Judge",
    "ModeScores",
    "histogram_density",
    "inception_score",
    "judge_fid",
    "judge_kid",
    "load_judge",
    "mode_scores",
    "nearest_neighbours",
    "numeric_jsd",
]
