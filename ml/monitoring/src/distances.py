"""How far two samples of one column differ: SciPy's statistics under the names of Azure ML's model monitors."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import distance

BINS = 10
_LEAST_DEVIATION = 1e-3
_LEAST_SHARE = 1e-4

Distance = Callable[["pd.Series[float]", "pd.Series[float]"], float]


def normalized_wasserstein(reference: "pd.Series[float]", window: "pd.Series[float]") -> float:
    """Return the Wasserstein distance in standard deviations of the reference."""
    return float(stats.wasserstein_distance(reference, window)) / max(float(reference.std(ddof=0)), _LEAST_DEVIATION)


def kolmogorov_smirnov(reference: "pd.Series[float]", window: "pd.Series[float]") -> float:
    """Return the p-value of the two-sample Kolmogorov-Smirnov test. A small one means that the samples differ."""
    return float(stats.ks_2samp(reference, window).pvalue)


def jensen_shannon(reference: "pd.Series[float]", window: "pd.Series[float]") -> float:
    """Return the Jensen-Shannon distance of the shares: 0 for equal ones, and 1 for those without a common value."""
    counts = _counts(reference, window)
    return float(distance.jensenshannon(counts[0] / counts[0].sum(), counts[1] / counts[1].sum(), base=2))


def population_stability(reference: "pd.Series[float]", window: "pd.Series[float]") -> float:
    """Return the population stability index of the shares. An empty share counts as 0.01 %."""
    counts = _counts(reference, window)
    expected, found = (np.maximum(each / each.sum(), _LEAST_SHARE) for each in counts)
    return float(np.sum((found - expected) * np.log(found / expected)))


def chi_squared(reference: "pd.Series[float]", window: "pd.Series[float]") -> float:
    """Return the p-value of Pearson's chi-squared test. A small one means that the shares differ."""
    counts = _counts(reference, window)
    return float(stats.chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


NUMERICAL: dict[str, Distance] = {
    "jensen_shannon_distance": jensen_shannon,
    "normalized_wasserstein_distance": normalized_wasserstein,
    "population_stability_index": population_stability,
    "two_sample_kolmogorov_smirnov_test": kolmogorov_smirnov,
}
CATEGORICAL: dict[str, Distance] = {
    "jensen_shannon_distance": jensen_shannon,
    "pearsons_chi_squared_test": chi_squared,
    "population_stability_index": population_stability,
}
P_VALUES = frozenset({"pearsons_chi_squared_test", "two_sample_kolmogorov_smirnov_test"})
"""The metrics of which a value below the threshold is a drift. Of the others, a value above it is."""


def _counts(reference: "pd.Series[float]", window: "pd.Series[float]") -> np.ndarray:
    """Count both samples by value, or numbers by the reference's deciles. The first row is the reference."""
    if pd.api.types.is_numeric_dtype(reference) and not pd.api.types.is_bool_dtype(reference):
        edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
        rows = [np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1) for each in (reference, window)]
    else:
        values = pd.Index(reference.unique()).union(pd.Index(window.unique()), sort=False)
        rows = [each.value_counts().reindex(values, fill_value=0).to_numpy() for each in (reference, window)]
    counts = np.array(rows, dtype="float64")
    return counts[:, counts.sum(axis=0) > 0]
