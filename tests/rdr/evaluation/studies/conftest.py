"""A small study that tests of sites, answers and servers share."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from rdr.evaluation.studies import site
from rdr.evaluation.studies.design import REFERENCE, Condition, Plan

SOURCES = ("one", "=two,</script>")
CONDITIONS = (REFERENCE, Condition("a", 1.0), Condition("a", 2.5), Condition('b"<', 1.0))


@pytest.fixture(scope="session")
def make_site(tmp_path_factory):
    """Writes a study of two sources and three conditions; arguments replace settings and the plan's."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    images = []
    for source in range(len(SOURCES)):
        for condition in range(len(CONDITIONS)):
            path = folder / f"{source}_{condition}.png"
            Image.fromarray(rng.integers(0, 256, (12, 16 + source, 3), np.uint8)).save(path)
            images.append(site.Stimulus(source, condition, path))

    def make(out, *, protocol="triplet", test=5, catch=1, training=1, pivot=True, **settings):
        plan = Plan(protocol, len(CONDITIONS), len(SOURCES), test, catch, training, pivot)
        settings = site.Settings(**{"observers": 3, **settings})
        written = site.write_site(pathlib.Path(out), SOURCES, CONDITIONS, images, plan, settings,
                                  read=lambda path: np.asarray(Image.open(path)))
        return written, images

    return make
