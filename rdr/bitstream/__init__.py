"""Bitstreams: from integers and probability tables to bytes, and the container that every message travels in."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Message": "container",
    "StepDecoder": "adaptive_coder",
    "StepEncoder": "adaptive_coder",
    "Tables": "tables",
    "decode_gamma": "escapes",
    "decode_symbols": "coder",
    "encode_gamma": "escapes",
    "encode_symbols": "coder",
    "escape_bits": "coder",
    "fingerprint": "container",
    "make_tables": "tables",
    "pack": "container",
    "peek": "container",
    "progressive": "progressive",
    "quantize_pmf": "tables",
    "table_bits": "tables",
    "tables_from_tree": "tables",
    "unpack": "container",
})
