"""The committed crops at a few hundred bytes: table, pictures and figures agree."""

import numpy as np

from paper_figures import overfitted_realism
from paper_figures.tables import DATA

TABLE = overfitted_realism.load(DATA / "overfitted_realism.csv")
COLUMNS = TABLE.columns
TEXTURES = ("brick", "grass", "gravel")


def _value(picture, codec, name):
    rows = (COLUMNS["picture"] == picture) & (COLUMNS["codec"] == codec)
    return float(COLUMNS[name][rows][0])


def test_the_table_follows_from_the_pictures():
    for picture, codec, bits, size, psnr in zip(*(COLUMNS[n] for n in ("picture", "codec", "bits_per_pixel", "bytes",
                                                                      "psnr"))):
        original, decoded = TABLE.images[f"{picture} original"], TABLE.images[f"{picture} {codec}"]
        np.testing.assert_allclose(bits, 8 * size / np.prod(original.shape[:2]), rtol=1e-9)
        np.testing.assert_allclose(-10 * np.log10(np.mean((original / 255 - decoded / 255) ** 2)), psnr, atol=1e-3)


def test_realism_is_bought_with_fidelity():
    pictures = list(dict.fromkeys(COLUMNS["picture"]))
    better = {metric: [p for p in pictures if _value(p, "overfitted WD + noise", metric)
                       < _value(p, "overfitted MSE", metric)] for metric in ("wd_vgg16", "dists")}
    for names in better.values():
        assert set(TEXTURES) <= set(names)
        assert 2 * len(set(names) - set(TEXTURES)) > len(pictures) - len(TEXTURES)
    for p in pictures:
        assert _value(p, "overfitted WD + noise", "psnr") < _value(p, "overfitted MSE", "psnr")
        # Equal bytes: no more than a twentieth longer than the file for squared error.
        assert _value(p, "overfitted WD + noise", "bytes") <= 1.05 * _value(p, "overfitted MSE", "bytes")


def test_figures_show_pictures_and_lengths():
    for figure, codecs in ((overfitted_realism.page(TABLE), overfitted_realism.PAGE),
                           (overfitted_realism.gallery(TABLE), overfitted_realism.GALLERY)):
        axes = figure.axes
        assert len(axes) % len(codecs) == 0
        picture = axes[0].get_xlabel()
        for axis, codec in zip(axes[1:], list(codecs)[1:]):
            assert axis.get_xlabel() == f"{_value(picture, codec, 'bytes'):,.0f} bytes"
            shown = np.asarray(axis.get_images()[0].get_array())
            np.testing.assert_array_equal(shown.reshape(-1), TABLE.images[f"{picture} {codec}"].reshape(-1))
