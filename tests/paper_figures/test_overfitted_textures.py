"""The committed textures in hundreds of bytes: table, images and figure agree."""

import numpy as np

from paper_figures import overfitted_textures
from paper_figures.tables import DATA

TABLE = overfitted_textures.load(DATA / "overfitted_textures.csv")
COLUMNS = TABLE.columns


def test_the_table_follows_from_the_images():
    rows = list(zip(*(COLUMNS[n] for n in ("picture", "method", "wanted_bytes", "bytes", "bits_per_pixel", "psnr"))))
    assert len(rows) == 18
    for image, method, wanted, size, bits, psnr in rows:
        original = TABLE.images[f"{image} original"] / 255
        decoded = TABLE.images[f"{image} {method} {wanted:.0f}"] / 255
        np.testing.assert_allclose(bits, 8 * size / np.prod(original.shape[:2]), rtol=1e-9)
        np.testing.assert_allclose(-10 * np.log10(np.mean((original - decoded) ** 2)), psnr, atol=1e-3)


def test_the_figure_shows_the_largest_length():
    axes = overfitted_textures.textures(TABLE).figure.axes
    methods = list(overfitted_textures.METHODS)
    assert len(axes) == 3 * len(methods)
    for row in range(3):
        shown = axes[row * len(methods) : (row + 1) * len(methods)]
        image = shown[0].get_xlabel()
        for axis, method in zip(shown, methods):
            key = f"{image} original" if method == "original" else f"{image} {method} 600"
            expected = np.repeat(TABLE.images[key], 3, axis=2)
            np.testing.assert_array_equal(np.asarray(axis.get_images()[0].get_array()), expected)
            if method != "original":
                row_of = (COLUMNS["picture"] == image) & (COLUMNS["method"] == method)
                size = COLUMNS["bytes"][row_of & (COLUMNS["wanted_bytes"] == 600)][0]
                assert axis.get_xlabel().startswith(f"{size:.0f} bytes, WD ")
