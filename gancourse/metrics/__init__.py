"""Measures of generated data: modes, colours, layouts; judges, and scores on their features."""

from gancourse.metrics.colour import histogram_intersection, lab_histograms, rgb_to_lab
from gancourse.metrics.counterfactual import CounterfactualErrors, counterfactual_errors
from gancourse.metrics.domains import (
    DomainErrors,
    domain_errors,
    errors_by_label,
    label_target,
)
from gancourse.metrics.instances import (
    Change,
    Switched,
    centroid_shift,
    centroids,
    change,
    kinds,
    mask_iou,
    seen_as,
    switched,
)
from gancourse.metrics.judges import JUDGES, FaceJudge, Judge, load_judge
from gancourse.metrics.looks import (
    Looks,
    diversity,
    looks_covered,
    nearest_truth,
    relative_diversity,
)
from gancourse.metrics.modes import ModeScores, mode_scores, numeric_jsd
from gancourse.metrics.reconstruction import reconstruct
from gancourse.metrics.restoration import psnr, ssim
from gancourse.metrics.scores import (
    fid_infinity,
    frechet,
    inception_score,
    judge_fid,
    nearest_neighbours,
    score_of_logits,
)
from gancourse.metrics.segmentation import SegmentationScores, segmentation_scores
from gancourse.metrics.support import PrecisionRecall, precision_recall
from gancourse.metrics.transport import wasserstein

__all__ = [
    "JUDGES",
    "Change",
    "CounterfactualErrors",
    "DomainErrors",
    "FaceJudge",
    "Judge",
    "Looks",
    "ModeScores",
    "PrecisionRecall",
    "SegmentationScores",
    "Switched",
    "centroid_shift",
    "centroids",
    "change",
    "counterfactual_errors",
    "diversity",
    "domain_errors",
    "errors_by_label",
    "fid_infinity",
    "frechet",
    "histogram_intersection",
    "inception_score",
    "judge_fid",
    "kinds",
    "lab_histograms",
    "label_target",
    "load_judge",
    "looks_covered",
    "mask_iou",
    "mode_scores",
    "nearest_neighbours",
    "nearest_truth",
    "numeric_jsd",
    "precision_recall",
    "psnr",
    "reconstruct",
    "relative_diversity",
    "rgb_to_lab",
    "score_of_logits",
    "seen_as",
    "segmentation_scores",
    "ssim",
    "switched",
    "wasserstein",
]
