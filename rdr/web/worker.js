/**
 * A Web Worker that decodes. Start it with `new Worker(url, { type: "module" })` and post `{ id, bytes, max_pixels }`,
 * where `id` is anything and `max_pixels` may be left out. It answers with messages that carry the same id: any number
 * of `{ id, progress }`, from 0 to 1, and then `{ id, image }` as `decode` returns it, or `{ id, error }`, a sentence.
 */
import { decode } from "./decoder.js";

addEventListener("message", ({ data: { id, bytes, max_pixels = null } }) => {
  let shown = 0;
  const progress = (fraction) => {
    if (fraction < shown + 0.01 && fraction < 1) return;  // a hundred of them are enough
    shown = fraction;
    postMessage({ id, progress: fraction });
  };
  try {
    const image = decode(bytes, { max_pixels, progress });
    postMessage({ id, image }, [image.pixels.buffer]);
  } catch (error) {
    postMessage({ id, error: error.message });
  }
});
