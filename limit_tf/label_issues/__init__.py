"""Which labels are wrong: scores, estimates of the noise, reports."""

from limit_tf.label_issues.cleanlab_tables import from_cleanlab
from limit_tf.label_issues.finding import find_label_issues
from limit_tf.label_issues.issues import LabelIssues
from limit_tf.label_issues.noise_estimate import NoiseEstimate
from limit_tf.label_issues.noise_estimate import estimate_noise
from limit_tf.label_issues.report import write_report
from limit_tf.label_issues.scores import LabelScores
from limit_tf.label_issues.scores import concatenated
from limit_tf.label_issues.scores import iter_label_scores
from limit_tf.label_issues.scores import label_scores
from limit_tf.label_issues.scores import pred_probs

__all__ = [
    "LabelIssues",
    "LabelScores",
    "NoiseEstimate",
    "concatenated",
    "estimate_noise",
    "find_label_issues",
    "from_cleanlab",
    "iter_label_scores",
    "label_scores",
    "pred_probs",
    "write_report",
]
