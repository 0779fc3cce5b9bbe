"""The committed sequence: its table re-derived from its images, and its figures drawn."""

import numpy as np

from paper_figures import texture_metamers
from paper_figures.tables import DATA

TABLE = texture_metamers.load(DATA / "texture_metamers.csv")


def test_the_committed_table_follows_from_the_committed_images():
    for name, sigma, mse in zip(*(TABLE.columns[k] for k in ("picture", "sigma", "fidelity_mse"))):
        image = TABLE.images[f"{name} {texture_metamers._key(TABLE, name, sigma)}"].astype(float)
        difference = np.sqrt(np.mean((image - TABLE.images[name]) ** 2)) / 255
        # Both images are rounded to 8 bits: 1/(255 sqrt(12)) each, 0.0016 together.
        np.testing.assert_allclose(difference, np.sqrt(mse), atol=0.0017)


def test_fidelity_is_given_up_for_realism_as_sigma_grows():
    for name in set(TABLE.columns["picture"]):
        rows = texture_metamers._rows(TABLE, name)
        if "foveated" in rows["sigma"]:
            continue
        assert rows["sigma"][0] == "0" and rows["sigma"][-1] == "inf"
        assert (np.diff(rows["fidelity_mse"]) > 0).all()
        # At infinity as far from the image as two unrelated images of its spread, within a quarter.
        unrelated = 2 * (TABLE.images[name] / 255).var()
        assert 0.75 < rows["fidelity_mse"][-1] / unrelated < 1.25
        assert (rows["realism"] < 0.05 * rows["realism_start"]).all()


def test_figures_show_the_table():
    figure = texture_metamers.sequence(TABLE)
    fidelity = figure.subfigs[1].axes[0]
    foveated = {name for name, s in zip(TABLE.columns["picture"], TABLE.columns["sigma"]) if s == "foveated"}
    first = texture_metamers._rows(TABLE, next(x for x in TABLE.columns["picture"] if x not in foveated))
    np.testing.assert_allclose(fidelity.get_lines()[0].get_ydata(), np.sqrt(first["fidelity_mse"]))
    assert [label.get_text() for label in fidelity.get_xticklabels()][-1] == "∞"
    panels = figure.subfigs[0].axes
    textures = {name for name, s in zip(TABLE.columns["picture"], TABLE.columns["sigma"]) if s != "foveated"}
    assert len(panels) == len(textures) * (1 + len(first["sigma"]))
    assert panels[0].get_images()[0].get_array().shape == (256, 256, 3)
    match = texture_metamers.foveated(TABLE).axes[1].get_images()[0].get_array()
    np.testing.assert_array_equal(match, TABLE.images["astronaut foveated"])
    assert match.shape == (512, 512, 3)
