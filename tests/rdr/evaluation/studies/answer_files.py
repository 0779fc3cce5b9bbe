"""Files of answers as tests need them: our layout and that of JPEG AIC-3, with planted scales."""

import gzip

import numpy as np
from scipy.special import ndtr, ndtri

from rdr.evaluation.studies.answer_layouts import COLUMNS

AIC3_HEADING = ("observer,img_num,codec_left,codec_right,codec_pivot,dlevel_left,dlevel_right,dlevel_pivot,is_same,"
                "is_cross,is_bias,is_trap,question_order,response,response_time")


def aic3_rows(scales, *, observers, seed, repeats=1, not_sure=0.0, guessers=()):
    """Triplets whose pivot is the source, of codec 6: all pairs of levels, traps, skips and pairs of equal images."""
    rng, rows = np.random.default_rng(seed), []
    number = len(scales)
    for observer in range(observers):
        for source in (2, 10):
            trials = [(i, j, 0) for i in range(number) for j in range(i) for _ in range(repeats)]
            trials += [(number - 1, 0, 1)] * 8 + [(1, 1, 0)]
            for order, (i, j, trap) in enumerate(trials):
                if rng.random() < 0.5:
                    i, j = j, i
                p = ndtr(ndtri(0.75) * (scales[i] - scales[j]))
                p = 0.5 if observer in guessers else (float(i > j) if trap else p)
                response = "notsure" if rng.random() < not_sure else "left" if rng.random() < p else "right"
                codecs = [6 if level else 0 for level in (i, j)]
                rows.append(f"{observer},{source},{codecs[0]},{codecs[1]},0,{i},{j},0,{int(not trap)},0,{int(i == j)},"
                            f"{trap},{order},{response},{900 + order}")
        rows.append(f"{observer},2,0,6,0,0,2,0,1,0,0,0,0,skip,10")
        rows.append(f"{observer},2,3,6,0,5,2,0,0,1,0,0,0,left,10")  # across codecs
    return rows


def write_aic3(path, rows):
    data = "\ufeff" + "\n".join([AIC3_HEADING, *rows]) + "\n"
    path.write_bytes(gzip.compress(data.encode()) if path.suffix == ".gz" else data.encode())
    return path


def own_row(**cells):
    """A row of our layout: a triplet of codec c unless it says otherwise."""
    default = {
        "study": "s", "observer": "ann", "session": "1", "trial": "1", "protocol": "triplet", "kind": "test",
        "source": "kodim01", "codec_left": "c", "level_left": "1", "codec_pivot": "reference", "level_pivot": "0",
        "codec_right": "reference", "level_right": "0", "response": "left", "response_ms": "800",
        "pixels_per_degree": "60", "time": "2026-01-01T00:00:00Z"}  # fmt: skip
    return ",".join(str({**default, **cells}.get(name, "")) for name in COLUMNS)


def write_own(path, rows):
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return path
