"""Studies with people: designs of experiments, their pages and servers, and the analysis of answers."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Answers": "answers",
    "active_design": "active_design",
    "answer_layouts": "answer_layouts",
    "answer_store": "answer_store",
    "answers": "answers",
    "comparisons": "comparisons",
    "condition_values": "condition_values",
    "count_answers": "comparisons",
    "design": "design",
    "fit_counts": "pairwise_models",
    "fit_scales": "scaling",
    "hand_out": "hand_out",
    "jnd_curves": "jnd_curves",
    "metric_agreement": "metric_agreement",
    "next_comparisons": "active_design",
    "observers": "observers",
    "pairwise_models": "pairwise_models",
    "psychometric": "psychometric",
    "read_answers": "answers",
    "scale_tables": "scale_tables",
    "scaling": "scaling",
    "screen_observers": "observers",
    "server": "server",
    "simulation": "simulation",
    "site": "site",
    "stimuli": "stimuli",
    "study_plots": "study_plots",
    "thresholds": "thresholds",
})
