"""Programs for browsers: a decoder of overfitted images in JavaScript, and pages that show images with it.

`decoder.js` is a module without dependencies that follows docs/format.md, `worker.js` runs it beside a page, and
`webgpu.js` has the synthesis on a graphics processor.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "pages": "pages",
})
