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

// What is shown of other values than 8 bits of sRGB; rdr/data/light.py says it, too.
const TO_BT709 = {
  bt2020: [1.660491, -0.587641, -0.07285, -0.12455, 1.1329, -0.008349, -0.018151, -0.100579, 1.11873],
  p3: [1.22494, -0.22494, 0, -0.042057, 1.042057, 0, -0.019638, -0.078636, 1.098274],
};
const REFERENCE_WHITE = 203, HLG_PEAK = 1000;  // cd/m^2

/** Light of a coded value; of HLG the scene's. */
function lightOf(value, transfer) {
  if (transfer === "pq") {
    const power = value ** (32 / 2523);
    return 1e4 * (Math.max(power - 107 / 128, 0) / (2413 / 128 - (2392 / 128) * power)) ** (8192 / 1305);
  }
  if (transfer === "hlg") {
    const a = 0.17883277, b = 1 - 4 * a, c = 0.5 - a * Math.log(4 * a);
    return value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - c) / a) + b) / 12;
  }
  if (transfer === "linear") return value;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/** Luminances above half of white's are bent, so that none is cut. */
function bend(luminance) {
  const above = 2 * luminance - 1;
  return above > 0 ? 0.5 + (0.5 * above) / (1 + above) : luminance;
}

/** The image with pixels of 8 bits of sRGB: high dynamic range is tone-mapped, what has more bits is rounded. */
function shownOf(image) {
  const { channels, transfer, primaries, unit, pixels } = image, matrix = TO_BT709[primaries];
  const largest = pixels instanceof Uint16Array ? 65535 : 255;
  if (transfer === "srgb" && !matrix) {
    return largest === 255 ? image : { ...image, pixels: Uint8Array.from(pixels, (v) => Math.floor((v + 128) / 257)) };
  }
  const table = Float64Array.from({ length: largest + 1 }, (_, i) => lightOf(i / largest, transfer));
  const white = transfer === "pq" ? unit || REFERENCE_WHITE : transfer === "hlg" ? REFERENCE_WHITE : 1;
  const result = new Uint8Array(pixels.length), x = new Float64Array(channels), y = new Float64Array(channels);
  for (let at = 0; at < pixels.length; at += channels) {
    for (let i = 0; i < channels; i++) x[i] = table[pixels[at + i]];
    let scale = 1 / white;
    if (transfer === "hlg") {
      scale *= HLG_PEAK * (channels === 3 ? 0.2627 * x[0] + 0.678 * x[1] + 0.0593 * x[2] : x[0]) ** 0.2;
    }
    for (let i = 0; i < channels; i++) {
      const k = 3 * i;
      y[i] = channels === 3 && matrix ? matrix[k] * x[0] + matrix[k + 1] * x[1] + matrix[k + 2] * x[2] : x[i];
      y[i] = Math.max(y[i] * scale, 0);
    }
    const luminance = channels === 3 ? 0.2126 * y[0] + 0.7152 * y[1] + 0.0722 * y[2] : y[0];
    const gain = transfer === "srgb" || !luminance ? 1 : bend(luminance) / luminance;
    for (let i = 0; i < channels; i++) {
      const v = Math.min(y[i] * gain, 1);
      result[at + i] = Math.floor(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055) + 0.5);
    }
  }
  return { ...image, pixels: result };
}

/** A canvas of the image's own size that holds its pixels. */
function canvasOf(image, canvas = document.createElement("canvas")) {
  const { width, height, channels, pixels } = shownOf(image);
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
