"""Evaluation of codecs: a suite of metrics, rate-distortion curves, contact sheets, opinion scores and tables."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "MetricSuite": "metric_suite",
    "contact_sheet": "contact_sheet",
    "error_maps": "error_maps",
    "estimate_tables": "estimate_tables",
    "feature_files": "feature_files",
    "metric_plan": "metric_plan",
    "metric_suite": "metric_suite",
    "opinion_scoring": "opinion_scoring",
    "rd_curves": "rd_curves",
    "rd_plots": "rd_plots",
    "read_curves": "rd_curves",
    "read_scores": "subjective_scores",
    "sample_curves": "sample_curves",
    "set_report": "set_report",
    "studies": "studies",
    "subjective_scores": "subjective_scores",
    "tables": "tables",
    "write_table": "tables",
})
