"""What a metric's name tells: whether more of it is better, and what it is counted in."""

from __future__ import annotations

import re

_HIGHER = re.compile(
    r"acc|auc|f1|map\b|m_?ap|iou|precision|recall|top_?k|pearson|mcc|bleu|rouge|cum_", re.I
)
_LOWER = re.compile(r"loss|err|entropy|perplexity|ppl|rmse|mse|mae|nll|l1|l2|distance|cost", re.I)


def is_higher_better(metric: str) -> bool | None:
    """True for accuracies and their kin, False for losses and errors, None where nothing tells."""
    if _LOWER.search(metric):
        return False
    return True if _HIGHER.search(metric) else None


def unit_of(metric: str) -> str:
    """What it is counted in: 'nats' for cross-entropies, 'share' for accuracies, else 'value'."""
    if re.search(r"entropy|nll", metric, re.I):
        return "nats"
    if re.search(r"acc|auc|f1|precision|recall|top_?k", metric, re.I) and is_higher_better(metric):
        return "share"
    return "value"
