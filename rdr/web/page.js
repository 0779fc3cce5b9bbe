/** What pages with a decoder in them share. The page holds the decoder's text (id `decoder`) and the worker's (`worker`). */

const textOf = (id) => document.getElementById(id).textContent;
const bytesOf = (base64) => Uint8Array.from(atob(base64.trim()), (character) => character.charCodeAt(0));

/** Decodes beside the page, so that it stays awake; in the page where a browser allows no such worker. */
function decodeBeside(bytes, max_pixels, progress) {
  const here = () => new Promise((resolve) => {
    setTimeout(() => resolve(globalThis.rdr.decode(bytes, { max_pixels, progress })), 20);  // once the page was drawn
  });
  let worker;
  try {
    // No module: browsers start none from a page that is a file.
    const source = [textOf("decoder").replace(/^export /gm, ""), textOf("worker")];
    worker = new Worker(URL.createObjectURL(new Blob(source, { type: "text/javascript" })));
  } catch {
    return here();
  }
  return new Promise((resolve, reject) => {
    worker.onerror = () => resolve(here());
    worker.onmessage = ({ data }) => {
      if (data.error !== undefined) reject(new Error(data.error));
      else if (data.image !== undefined) resolve(data.image);
      else progress(data.progress);
      if (data.progress === undefined) worker.terminate();
    };
    worker.postMessage({ bytes, max_pixels });
  });
}

/** A canvas of the image's own size that holds its pixels. */
function canvasOf({ width, height, channels, pixels }, canvas = document.createElement("canvas")) {
  const data = new ImageData(width, height), [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let from = 0, to = 0; from < pixels.length; from += channels, to += 4) {
    data.data[to] = pixels[from];
    data.data[to + 1] = pixels[from + green];
    data.data[to + 2] = pixels[from + blue];
    data.data[to + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(data, 0, 0);
  return canvas;
}
