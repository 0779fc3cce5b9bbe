"""Evaluation of codecs: a suite of metrics, rate-distortion curves, contact sheets, opinion scores and tables."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "contact_sheet": "contact_sheet",
    "feature_files": "feature_files",
    "metric_suite": "metric_suite",
    "rd_curves": "rd_curves",
    "rd_plots": "rd_plots",
    "read_curves": "rd_curves",
    "read_scores": "subjective_scores",
    "subjective_scores": "subjective_scores",
    "tables": "tables",
    "write_table": "tables",
})
