"""Images and data sets: one reader for files, folders and pairs, patches for training, loaders that can be resumed."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "arrays": "arrays",
    "color_spaces": "color_spaces",
    "folders": "folders",
    "idx": "idx",
    "image_io": "image_io",
    "image_pairs": "image_pairs",
    "images_by_name": "folders",
    "light": "light",
    "linear_images": "linear_images",
    "list_images": "folders",
    "load_samples": "samples",
    "loader": "loader",
    "on_device": "on_device",
    "pair_folders": "image_pairs",
    "patches": "patches",
    "png_writer": "png_writer",
    "read_idx": "idx",
    "read_image": "image_io",
    "read_image_data": "image_io",
    "read_image_header": "image_io",
    "samples": "samples",
    "tfds_source": "tfds_source",
    "write_image": "image_io",
})
