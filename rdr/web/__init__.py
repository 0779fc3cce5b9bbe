"""What runs in browsers: a decoder of overfitted images in JavaScript, and pages that show images with it.

`decoder.js` is a module without dependencies that was written from docs/format.md, `worker.js` runs it beside a page.
"""

__all__: list[str] = []
