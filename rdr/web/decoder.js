/**
 * Decodes images that `rdr encode` fitted a small network to: the same pixels, bit for bit, as `rdr decode`.
 *
 * An ES module without dependencies, for browsers, their workers and Node. docs/format.md describes the file; "§ 3" is
 * its section 3. Numbers of networks are multiples of a power of two, which float64 holds exactly.
 */

// § 2.3, § 5.3: how much of an image a message may announce.
const MAX_ELEMENTS = 2 ** 24, MAX_TILED_ELEMENTS = 2 ** 29;
const FREE_PIXELS = 5 * 2 ** 18, PIXELS_PER_BYTE = 2 ** 13, USUAL_OPERATIONS = 1422, WAVE_PIXELS = 64;

/**
 * Decodes a file.
 *
 * @param {Uint8Array} bytes
 * @param {{max_pixels?: number, progress?: (done: number) => void}} options the most pixels that are made, in place of
 *   what so few bytes are trusted with; and what is told how much is done, from 0 to 1.
 * @returns {{width: number, height: number, channels: number, depth: number, transfer: string, primaries: string,
 *   unit: number, pixels: Uint8Array | Uint16Array, profile: Uint8Array?}} rows, then columns, then channels, of 0 .. 255,
 *   or above 8 bits (`depth`) of 0 .. 65535; what they are (§ 5.4); and an ICC profile, a zlib stream as in PNG's iCCP.
 * @throws {Error} with a sentence, if it is no such message, damaged, or announces too much.
 */
export function decode(bytes, { max_pixels = null, progress = () => {} } = {}) {
  const image = open(bytes, max_pixels), count = image.parts.length;
  image.parts.forEach((part, index) => {
    const report = (fraction) => progress((index + fraction) / count);
    place(image, part, render(readPart(part, (fraction) => report(fraction / 2)), (fraction) => report((1 + fraction) / 2)));
  });
  progress(1);
  delete image.parts;
  return image;
}

/** Sizes and messages of the image; refuses what can be refused before they are decoded. */
export function open(bytes, max_pixels) {
  if (!(bytes instanceof Uint8Array)) throw new Error("a message is a Uint8Array");
  if (max_pixels !== null && !(max_pixels > 0)) throw new Error(`max_pixels must be positive, got ${max_pixels}`);
  const limit = max_pixels === null ? null : 3 * max_pixels;
  let message = unpack(bytes, limit ?? MAX_TILED_ELEMENTS), profile = null;
  if (message.codec === "profiled") ({ bytes, message, profile } = openProfiled(message));
  const [height, width, channels] = message.shape;
  const parts = message.codec === "overfitted tiles" ? openTiles(message) : [{ bytes, top: 0, left: 0 }];
  for (const part of parts) part.limit = limit;
  const first = unpack(parts[0].bytes, limit ?? MAX_ELEMENTS);
  const { start: _, ...signal } = first.codec === "overfitted" ? readSignal(first.payloads[0] ?? []) : SRGB;
  return { width, height, channels, ...signal, pixels: null, profile, parts };
}

/** Puts the pixels of a part where they belong. */
export function place(image, { top, left }, { width, height, pixels }) {
  if (image.parts.length === 1) return void (image.pixels = pixels);
  image.pixels ??= makePixels(image.depth, image.height * image.width * image.channels);
  const line = width * image.channels;
  for (let row = 0; row < height; row++) {
    image.pixels.set(pixels.subarray(row * line, (row + 1) * line), ((top + row) * image.width + left) * image.channels);
  }
}

export const makePixels = (depth, count) => (depth > 8 ? new Uint16Array(count) : new Uint8Array(count));
const otherFormat = (of) => new Error(`the message has another format of ${of} images than this program reads`);
const damaged = (how) => new Error(`damaged message: ${how}`);

// ---- § 2: the container ----

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const text = (bytes) => new TextDecoder().decode(bytes);
const littleEndian = (bytes) => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

class Reader {
  position = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  take(count) {
    if (this.position + count > this.bytes.length) throw damaged("it is shorter than it says");
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  /** Seven bits a byte, low bits first. Above 2^53 it is rounded, and refused by whoever asked. */
  number() {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const [byte] = this.take(1);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (shift && !byte) throw damaged("a number is written longer than it is");
        return value;
      }
    }
    throw damaged("a number does not end");
  }

  numbers(most) {
    return Array.from({ length: Math.min(this.number(), most) }, () => this.number());
  }
}

function unpack(bytes, maxElements) {
  if (text(bytes.subarray(0, 3)) !== "rdr") throw new Error("not an rdr message: it does not start as one");
  if (bytes.length < 14) throw damaged("it is shorter than any message");
  if (bytes[3] !== 2) throw new Error(`the message has format version ${bytes[3]}, this program reads version 2`);
  const body = bytes.subarray(0, -4);
  if (crc32(body) !== littleEndian(bytes.subarray(-4))) throw damaged("its checksum is wrong");
  if (bytes[4] !== 0 || bytes[5] !== 5) {
    throw new Error(`the message was coded with version ${bytes[4]}.${bytes[5]} of the coder, this program reads 0.5`);
  }
  const reader = new Reader(body);
  reader.take(6);
  const name = reader.take(reader.number());
  if (name.some((byte) => byte > 127)) throw damaged("the codec's name is not ASCII");
  const fingerprint = reader.take(reader.number());
  const shape = reader.numbers(17);
  const elements = shape.reduce((product, n) => product * n, 1);
  if (shape.length > 16 || elements > maxElements || shape.some((n) => n > maxElements)) {
    throw new Error(`the message announces the shape ${shape.join(" x ")}, more than ${maxElements} elements`);
  }
  const payloads = reader.numbers(2 ** 16).map((length) => reader.take(length));
  if (reader.position !== body.length) throw damaged("bytes are left over at its end");
  return { codec: text(name), fingerprint, shape, payloads };
}

/** § 2.4. */
function openProfiled({ fingerprint, shape, payloads: [settings, bytes, ...more] }) {
  if (fingerprint.length || !bytes || more.length) throw damaged("no profile and image");
  if (settings[0] !== 1) throw otherFormat("profiled");
  const message = unpack(bytes, Infinity);
  if (message.codec === "profiled" || message.shape.join() !== shape.join()) throw damaged("its image has another shape");
  return { bytes, message, profile: settings.subarray(1) };
}

// ---- § 4: tiles ----

function openTiles({ fingerprint, shape, payloads: [settings, ...tiles] }) {
  if (fingerprint.length || !settings || shape.length !== 3 || Math.min(...shape) < 1 || !isChannels(shape[2])) {
    throw damaged("its parts are not those of a tiled image");
  }
  if (settings.length !== 5 || settings[0] !== 1) throw otherFormat("tiled");
  const [height, width, channels] = shape;
  const rows = littleEndian(settings.subarray(1, 3)), columns = littleEndian(settings.subarray(3, 5));
  if (!(rows >= 1 && rows <= height && columns >= 1 && columns <= width && rows * columns === tiles.length)) {
    throw damaged(`it announces ${rows} x ${columns} tiles, and there are ${tiles.length}`);
  }
  const tileHeight = Math.ceil(height / rows), tileWidth = Math.ceil(width / columns);
  let first = null;
  return tiles.map((bytes, index) => {
    const inner = unpack(bytes, MAX_ELEMENTS);
    if (inner.codec !== "overfitted" || inner.shape.join() !== [tileHeight, tileWidth, channels].join()) {
      throw damaged(`tile ${index + 1} of ${tiles.length} has another shape`);
    }
    const signal = Object.values(readSignal(inner.payloads[0] ?? [])).join();
    if (signal !== (first ??= signal)) throw damaged(`tile ${index + 1} of ${tiles.length} has other values than the first`);
    return { bytes, top: start(Math.floor(index / columns), height, tileHeight, rows),
      left: start(index % columns, width, tileWidth, columns) };
  });
}

const isChannels = (n) => n === 1 || n === 3;
const start = (index, length, side, parts) => Math.floor((index * (length - side)) / Math.max(parts - 1, 1));

// ---- § 5: settings ----

const MAX_LEVELS = 12, MAX_WIDTH = 64, WEIGHT_TABLES = 25, MAX_EXPONENT = 9, INPUTS = 17, OWN = 12;

/** Settings, weights and latents of a part; § 11 makes pixels of them. */
export function readPart({ bytes, limit }, progress) {
  const { codec, fingerprint, shape, payloads } = unpack(bytes, limit ?? MAX_ELEMENTS);
  if (codec !== "overfitted") {
    throw new Error(`the message was written by codec '${codec}', not by 'overfitted': other codecs need a checkpoint`);
  }
  if (fingerprint.length || payloads.length !== 5 || shape.length !== 3 || Math.min(...shape) < 1) {
    throw damaged("its parts are not those of an overfitted image");
  }
  const settings = readSettings(payloads[0], shape);
  if (limit === null) checkWork(settings, bytes.length);
  const weights = readWeights(settings, new SymbolDecoder(payloads[1], payloads[2]));
  return { settings, weights, latents: readLatents(settings, weights, new SymbolDecoder(payloads[3], payloads[4]), progress) };
}

const SRGB = { depth: 8, transfer: "srgb", primaries: "bt709", unit: 0, start: 1 };
const TRANSFERS = { 8: "linear", 13: "srgb", 16: "pq", 18: "hlg" }, PRIMARIES = { 1: "bt709", 9: "bt2020", 12: "p3" };

/** § 5.4: what the values are, and where the settings go on. */
function readSignal(bytes) {
  if (bytes[0] === 1) return SRGB;
  if (bytes[0] !== 2) throw otherFormat("overfitted");
  if (bytes.length < 8) throw damaged("its settings have another length than they say");
  const depth = bytes[1], transfer = TRANSFERS[bytes[2]], primaries = PRIMARIES[bytes[3]];
  const unit = new DataView(bytes.buffer, bytes.byteOffset + 4, 4).getFloat32(0, true);
  const isUnit = unit === 0 || (unit > 0 && unit <= 1e9 && (transfer === "pq" || transfer === "linear"));
  const isPlain = depth === 8 && transfer === "srgb" && primaries === "bt709";
  if (depth < 8 || depth > 16 || !transfer || !primaries || !isUnit || isPlain) throw damaged("impossible values");
  return { depth, transfer, primaries, unit, start: 8 };
}

function readSettings(bytes, [height, width, channels]) {
  const { depth, start } = readSignal(bytes);
  bytes = bytes.subarray(start);
  const [levels, noise, h, s, r] = [0, 1, 2, 3, 4].map((i) => bytes[i] ?? 0);
  const widthsFit = [h, s, r].every((w) => w >= 1 && w <= MAX_WIDTH);
  if (levels < 1 || levels > MAX_LEVELS || noise > levels || !widthsFit || !isChannels(channels)) {
    throw damaged("impossible sizes of the decoder");
  }
  const tensors = shapesOf(levels, noise, h, s, r, channels), names = Object.keys(tensors);
  const flags = Math.ceil(levels / 8), rest = bytes.subarray(5);
  if (rest.length !== flags + (noise ? 4 : 0) + names.length) {
    throw damaged("its settings have another length than they say");
  }
  const mask = littleEndian(rest.subarray(0, flags));
  const seed = noise ? littleEndian(rest.subarray(flags, flags + 4)) : null;
  const codes = rest.subarray(rest.length - names.length);
  if (mask >> levels || codes.some((code) => code >= WEIGHT_TABLES * (MAX_EXPONENT + 1))) {
    throw damaged("impossible settings");
  }
  names.forEach((name, i) => {
    const [rows, columns] = tensors[name], exponent = Math.floor(codes[i] / WEIGHT_TABLES);
    tensors[name] = { size: rows * columns, exponent, table: codes[i] % WEIGHT_TABLES };
  });
  const latents = Array.from({ length: levels }, (_, i) => (
    { rows: Math.ceil(height / 2 ** i), columns: Math.ceil(width / 2 ** i), used: Boolean((mask >> i) & 1) }));
  return { height, width, channels, depth, levels, noise, h, s, r, seed, tensors, latents };
}

/** Rows and columns of the tensors of weights, in the file's order; vectors are one row. */
function shapesOf(levels, noise, h, s, r, channels) {
  return {
    entropy_in: [h, INPUTS], entropy_in_bias: [levels, h], entropy_hidden: [h, h], entropy_hidden_bias: [1, h],
    entropy_out: [2, h], entropy_skip: [2, INPUTS], entropy_out_bias: [1, 2], upsampling: [Math.max(levels - 1, 1), 4],
    pixel_in: [s, levels + noise], pixel_in_bias: [1, s], pixel_out: [channels, s],
    pixel_skip: [channels, levels + noise], pixel_out_bias: [1, channels],
    refine_in: [r, 9 * channels], refine_in_bias: [1, r], refine_out: [channels, 9 * r], refine_out_bias: [1, channels],
  };
}

/** § 5.3: refuses too much work for so few bytes. */
function checkWork({ height, width, levels, noise, seed, tensors, latents }, length) {
  if (seed === null && !latents.some(({ used }) => used)) return;
  let numbers = 0, upsampling = 0, waves = 0;
  for (const [level, { rows, columns, used }] of latents.entries()) {
    numbers += rows * columns;
    if (used) waves += columns + 2 * rows;
    if (level + 1 < levels) {
      const maps = levels - level - 1 + Math.max(noise - level - 1, 0);
      upsampling += 4 * maps * (rows * latents[level + 1].columns + rows * columns);
    }
  }
  const sizes = (...names) => names.reduce((sum, name) => sum + tensors[name].size, 0);
  const pixels = height * width;
  const operations = (sizes("entropy_in", "entropy_hidden", "entropy_out", "entropy_skip") * numbers) / pixels
    + upsampling / pixels + sizes("pixel_in", "pixel_out", "pixel_skip", "refine_in", "refine_out");
  if ((pixels * operations) / USUAL_OPERATIONS + WAVE_PIXELS * waves > Math.max(FREE_PIXELS, PIXELS_PER_BYTE * length)) {
    throw new Error(`${length} bytes that announce ${width} x ${height} pixels are not trusted: allow it with max_pixels`);
  }
}

// ---- § 3: the entropy coder ----

/** § 3.1: a state of 64 bits as two halves; its quotient of 40 bits is split again, for products below 2^53. */
class AnsDecoder {
  constructor(bytes) {
    if (bytes.length % 4) throw damaged("the coded symbols are not whole words");
    this.bytes = bytes;
    this.left = bytes.length / 4;
    this.high = 0;
    this.low = this.left ? this.word() : 0;
    if (bytes.length && !this.low) throw damaged("the coded symbols end in a zero word");
    if (this.left) this.refill();
  }

  word() {
    this.left--;
    return littleEndian(this.bytes.subarray(4 * this.left, 4 * this.left + 4));
  }

  refill() {
    this.high = this.low;
    this.low = this.word();
  }

  get isEmpty() {
    return !this.left && !this.high && !this.low;
  }

  /** The column of a table that comes next; `cumulative[i]` is the sum of the counts before column i. */
  decode({ cumulative, mode }) {
    const quantile = this.low & 0xffffff;
    let column = mode;
    if (quantile < cumulative[mode] || quantile >= cumulative[mode + 1]) {
      let above = cumulative.length - 1;  // cumulative[column] <= quantile < cumulative[above]
      column = 0;
      while (above - column > 1) {
        const middle = (column + above) >> 1;
        if (quantile < cumulative[middle]) above = middle;
        else column = middle;
      }
    }
    const first = cumulative[column], count = cumulative[column + 1] - first;
    const quotient = this.high * 256 + (this.low >>> 24);
    const upper = Math.floor(quotient / 2 ** 20), lower = quotient - upper * 2 ** 20;
    const product = upper * count, carried = Math.floor(product / 2 ** 12);
    const rest = (product - carried * 2 ** 12) * 2 ** 20 + lower * count + (quantile - first);
    const carry = Math.floor(rest / 2 ** 32);
    this.high = carried + carry;
    this.low = (rest - carry * 2 ** 32) >>> 0;
    if (!this.high && this.left) this.refill();
    return column;
  }
}

/** § 3.3: Elias-gamma codes of what lies outside of its table. */
class GammaReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.size = 8 * bytes.length;
    this.position = 0;
  }

  bit(position) {
    return (this.bytes[position >> 3] >> (7 - (position & 7))) & 1;
  }

  read() {
    let first = this.position;
    while (first < this.size && !this.bit(first)) first++;
    // One digit more than there were zeros.
    const digits = first - this.position + 1;
    if (digits > 40 || first + digits > this.size) throw damaged("the escape codes end early");
    let value = 0;
    for (let i = 0; i < digits; i++) value = 2 * value + this.bit(first + i);
    this.position = first + digits;
    return value;
  }

  finish() {
    const rest = this.size - this.position;
    if (rest > 7 || this.bytes.at(-1) & (2 ** rest - 1)) throw damaged("bytes are left over after the escape codes");
  }
}

/** § 3.2: whole numbers, from columns of tables and the escape codes. */
class SymbolDecoder {
  constructor(coded, escapes) {
    this.coder = new AnsDecoder(coded);
    this.escapes = new GammaReader(escapes);
  }

  read(table) {
    const column = this.coder.decode(table), { offset, length } = table;
    if (column < length) return column + offset;
    const far = this.escapes.read();
    const symbol = offset + (far % 2 ? length + (far - 1) / 2 : -far / 2);
    if (symbol !== (symbol | 0)) throw damaged("an escape code leaves the range of int32");
    return symbol;
  }

  finish() {
    if (!this.coder.isEmpty) throw damaged("symbols are left over after the last one");
    this.escapes.finish();
  }
}

// ---- § 6: tables of Laplace distributions ----

const SCALES = 49, STEPS = 8, FIXED_BITS = 60n, ONE = 1n << FIXED_BITS;
const ROOTS = [ONE, 1371062456318104877n, 1630477228166597776n, 1938975120585633118n];  // 2^(k / 4)
const powersOfScales = [], tables = [];

/** Table 8 s + f: of scale 2^(s / 4 - 6), with its middle at f / 8. */
function laplaceTable(index) {
  return (tables[index] ??= makeTable(Math.floor(index / STEPS), index % STEPS));
}

/** exp(-k / (8 b)) for k = 0, 1, .. down to 2^-40. */
function makePowers(scale) {
  // exp(-1 / (8 b)): the series of its 256th root, squared eight times.
  const x = (((ONE * ONE) / ROOTS[scale % 4]) << 3n) >> BigInt(Math.floor(scale / 4) + 8);
  let term = ONE, decay = ONE;
  for (let n = 1n; n < 30n; n++) {
    term = (term * x) / (n << FIXED_BITS);
    decay += n % 2n ? -term : term;
  }
  for (let i = 0; i < 8; i++) decay = (decay * decay) >> FIXED_BITS;
  const powers = [ONE];
  for (let power = ONE; power >= 1n << (FIXED_BITS - 40n); powers.push(power)) power = (power * decay) >> FIXED_BITS;
  return powers;
}

function makeTable(scale, place) {
  const powers = (powersOfScales[scale] ??= makePowers(scale)), power = (k) => powers[k] ?? 0n;
  const below = (steps) => (steps < 0 ? power(-steps) >> 1n : ONE - (power(steps) >> 1n));
  const reach = Math.floor(powers.length / STEPS) + 2, mass = [];
  let offset = null, sum = 0n, mode = 0;
  for (let k = -reach; k <= reach; k++) {  // what has at least 2^-20; that is an interval
    const edge = STEPS * k - STEPS / 2 - place, m = below(edge + STEPS) - below(edge);
    if (m < 1n << (FIXED_BITS - 20n)) continue;
    offset ??= k;
    sum += m;
    if (mass.length && m > mass[mode]) mode = mass.length;
    mass.push(m);
  }
  const free = BigInt(2 ** 24 - mass.length - 1);
  const counts = [...mass, sum < ONE ? ONE - sum : 0n].map((m) => 1 + Number((free * m) >> FIXED_BITS));
  counts[mode] += 2 ** 24 - counts.reduce((a, b) => a + b);
  const cumulative = new Int32Array(counts.length + 1);
  counts.forEach((count, i) => { cumulative[i + 1] = cumulative[i] + count; });
  return { offset, length: mass.length, cumulative, mode };
}

// ---- § 7: weights ----

const MAX_WEIGHT = 63;
const roundEven = (x) => x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;

function readWeights(settings, decoder) {
  // Tables ascend, and tensors of one table keep their order.
  const { tensors } = settings, names = Object.keys(tensors), differences = {}, weights = {};
  for (const name of [...names].sort((a, b) => tensors[a].table - tensors[b].table)) {
    const table = laplaceTable(2 * STEPS * tensors[name].table);
    differences[name] = Float64Array.from({ length: tensors[name].size }, () => decoder.read(table));
  }
  decoder.finish();
  const pretrained = pretrainedWeights(settings);
  for (const name of names) {
    const step = 2 ** -tensors[name].exponent;
    weights[name] = differences[name].map((difference, i) => (
      (difference + (pretrained ? roundEven(pretrained[name][i] / step) : 0)) * step));
    if (weights[name].some((w) => Math.abs(w) > MAX_WEIGHT)) throw damaged("a weight is too large");
  }
  return weights;
}

/** § 7.2: weights that files store the difference to, or null for a decoder of other sizes. */
function pretrainedWeights({ levels, noise, h, s, r, channels }) {
  if (levels > 7 || h !== 16 || s !== 24 || r !== 6) return null;
  const bytes = atob(PRETRAINED.replace(/\s/g, "")), stored = {};
  let position = 0;
  const number = () => ((bytes.charCodeAt(position++) | (bytes.charCodeAt(position++) << 8)) << 16 >> 16) / 2 ** 12;
  const rgb = shapesOf(7, 0, h, s, r, 3), gray = shapesOf(7, 0, h, s, r, 1);
  const take = (name, [rows, columns]) => { stored[name] = Float64Array.from({ length: rows * columns }, number); };
  for (const name in rgb) take(name, rgb[name]);
  if (channels === 1) {
    for (const name in gray) if (gray[name].join() !== rgb[name].join()) take(name, gray[name]);
  }
  for (const name of ["pixel_in", "pixel_skip"]) {  // the finest levels' columns; noise starts with weight 0
    const w = stored[name], columns = levels + noise;
    stored[name] = Float64Array.from({ length: (w.length / 7) * columns }, (_, i) => (
      i % columns < levels ? w[7 * Math.floor(i / columns) + (i % columns)] : 0));
  }
  return stored;
}

// ---- § 8: exact numbers ----

const LIMIT = 2 ** 13 - 1, ROUNDER = 1.5 * 2 ** 40;

/** The nearest multiple of 2^-12, halves to the even one: sums of this size have no more digits. */
function round(x, least) {
  const nearest = x + ROUNDER - ROUNDER;
  return nearest < least ? least : nearest > LIMIT ? LIMIT : nearest;
}

// ---- § 9: latents, and the network that foretells them ----

const CONTEXT = [[0, -1], [0, -2], [0, -3], [-1, -2], [-1, -1], [-1, 0], [-1, 1],
  [-2, -2], [-2, -1], [-2, 0], [-2, 1], [-2, 2]];
const PARENTS = [[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0]];
const TOP = 2, BOTTOM = 1, SIDE = 3;  // of zeros around each latent: no neighbor is a special case

/** Latents, finest first: Int16Array with a border of zeros, or null where all is zero. */
function readLatents(settings, weights, decoder, progress) {
  const { levels, latents: shapes } = settings;
  const total = shapes.reduce((sum, { rows, columns, used }) => sum + (used ? rows * columns : 0), 0);
  const latents = new Array(levels).fill(null);
  let before = 0;
  for (let level = levels - 1; level >= 0; level--) {
    const { rows, columns, used } = shapes[level];
    if (!used) continue;
    const parent = level + 1 < levels ? latents[level + 1] : null;
    latents[level] = readLatent(decoder, new EntropyNetwork(settings, weights, level), rows, columns, parent,
      (fraction) => progress((before + fraction * rows * columns) / total));
    before += rows * columns;
  }
  decoder.finish();
  return latents;
}

function readLatent(decoder, network, rows, columns, parent, progress) {
  const stride = columns + 2 * SIDE, parentStride = Math.ceil(columns / 2) + 2 * SIDE;
  const data = new Int16Array((rows + TOP + BOTTOM) * stride);
  const context = Int32Array.from(CONTEXT, ([i, j]) => i * stride + j);
  const around = Int32Array.from(PARENTS, ([i, j]) => i * parentStride + j);
  // § 9.1: a line column + 2 row = constant is foretold together, then decoded: a chain for each table.
  const most = Math.min(rows, Math.ceil(columns / 2));
  const next = new Int32Array(most), places = new Int32Array(most), middles = new Int32Array(most);
  const head = new Int32Array(SCALES * STEPS).fill(-1), tail = new Int32Array(SCALES * STEPS);
  const waves = columns + 2 * (rows - 1);
  for (let wave = 0; wave < waves; wave++) {
    const first = Math.max(0, Math.ceil((wave - columns + 1) / 2)), last = Math.min(rows - 1, wave >> 1);
    let lowest = SCALES * STEPS, highest = -1;
    for (let row = first; row <= last; row++) {
      const column = wave - 2 * row, place = (row + TOP) * stride + column + SIDE, k = row - first;
      network.predict(data, place, context, parent, ((row >> 1) + TOP) * parentStride + (column >> 1) + SIDE, around);
      const table = network.table;
      places[k] = place;
      middles[k] = network.middle;
      next[k] = -1;
      if (head[table] < 0) head[table] = k;
      else next[tail[table]] = k;
      tail[table] = k;
      if (table < lowest) lowest = table;
      if (table > highest) highest = table;
    }
    for (let t = lowest; t <= highest; t++) {
      if (head[t] < 0) continue;
      const table = laplaceTable(t);
      for (let k = head[t]; k >= 0; k = next[k]) {
        const value = decoder.read(table) + middles[k];
        if (Math.abs(value) > LIMIT) throw damaged("a number of a latent is too large");
        data[places[k]] = value;
      }
      head[t] = -1;
    }
    if (!(wave & 63)) progress(wave / waves);
  }
  return data;
}

/** § 9.2: a number's distribution, from those around it. Widths are padded to multiples of 4. */
class EntropyNetwork {
  constructor({ h }, weights, level) {
    this.width = 4 * Math.ceil(h / 4);
    const padded = (values, columns) => {  // inputs, then units
      const out = new Float64Array(columns * this.width);
      values.forEach((value, i) => { out[(i % columns) * this.width + Math.floor(i / columns)] = value; });
      return out;
    };
    this.first = padded(weights.entropy_in, INPUTS);
    this.firstBias = padded(weights.entropy_in_bias.subarray(level * h, (level + 1) * h), 1);
    this.second = padded(weights.entropy_hidden, h);
    this.secondBias = padded(weights.entropy_hidden_bias, 1);
    Object.assign(this, { h, out: weights.entropy_out, skip: weights.entropy_skip, outBias: weights.entropy_out_bias });
    const most = Math.max(INPUTS, this.width);
    this.which = new Int32Array(most);
    this.value = new Float64Array(most);
    this.x = new Float64Array(this.width);
    this.run(0);  // all is zero around a place, most often
    this.usualTable = this.table;
    this.usualMiddle = this.middle;
  }

  predict(data, place, context, parent, parentPlace, around) {
    let active = 0;
    for (let k = 0; k < OWN; k++) {
      const v = data[place + context[k]];
      if (v) { this.which[active] = k; this.value[active++] = v; }
    }
    if (parent !== null) {
      for (let k = 0; k < INPUTS - OWN; k++) {
        const v = parent[parentPlace + around[k]];
        if (v) { this.which[active] = OWN + k; this.value[active++] = v; }
      }
    }
    if (active) return this.run(active);
    this.table = this.usualTable;
    this.middle = this.usualMiddle;
  }

  /** Layers of the inputs that are not zero: `active` pairs of `which` and `value`. */
  run(active) {
    const { which, value, x, h, skip } = this;
    let location = this.outBias[0], scale = this.outBias[1];
    for (let k = 0; k < active; k++) {
      location += skip[which[k]] * value[k];
      scale += skip[INPUTS + which[k]] * value[k];
    }
    this.layer(this.first, this.firstBias, active);
    active = 0;
    for (let i = 0; i < h; i++) {
      if (x[i]) { which[active] = i; value[active++] = x[i]; }
    }
    this.layer(this.second, this.secondBias, active);
    for (let i = 0; i < h; i++) {
      location += this.out[i] * x[i];
      scale += this.out[h + i] * x[i];
    }
    const steps = Math.floor(round(location, -LIMIT) * STEPS + 0.5);
    this.middle = Math.floor(steps / STEPS);
    this.table = STEPS * clamp(Math.floor((round(scale, -LIMIT) + 6) * 4 + 0.5), SCALES)
      + steps - STEPS * this.middle;
  }

  layer(matrix, bias, active) {
    const { which, value, width, x } = this;
    for (let i = 0; i < width; i += 4) {
      let a = bias[i], b = bias[i + 1], c = bias[i + 2], d = bias[i + 3];
      for (let k = 0; k < active; k++) {
        const v = value[k], at = which[k] * width + i;
        a += matrix[at] * v;
        b += matrix[at + 1] * v;
        c += matrix[at + 2] * v;
        d += matrix[at + 3] * v;
      }
      x[i] = round(a, 0);
      x[i + 1] = round(b, 0);
      x[i + 2] = round(c, 0);
      x[i + 3] = round(d, 0);
    }
  }
}

// ---- § 10: noise ----

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];

/** Threefry-2x32 with 20 rounds: two words of a counter to two others, under a key of two. */
function threefry(key0, key1, x0, x1) {
  const keys = [key0, key1, key0 ^ key1 ^ 0x1bd11bda];
  x0 = (x0 + key0) | 0;
  x1 = (x1 + key1) | 0;
  for (let round = 0; round < 20; round++) {
    const turn = ROTATIONS[round % 8];
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << turn) | (x1 >>> (32 - turn))) ^ x0;
    if (round % 4 === 3) {
      const group = (round + 1) / 4;
      x0 = (x0 + keys[group % 3]) | 0;
      x1 = (x1 + keys[(group + 1) % 3] + group) | 0;
    }
  }
  return [x0, x1];
}

const NOISE = Float64Array.from({ length: 256 }, (_, i) => (
  Math.floor((i - 127.5) * 16 * Math.sqrt(12)) * 2 ** -12));

/** A row of a level's noise, to `out` from `at` on. */
export function noiseRow(seed, level, row, columns, out, at) {
  const [key0, key1] = threefry(0, seed, 0, level);
  for (let column = 0, place = row * columns; column < columns; column++, place++) {
    const [x0, x1] = threefry(key0, key1, Math.floor(place / 2 ** 32), place | 0);
    out[at + column] = NOISE[(x0 ^ x1) >>> 24];
  }
}

// ---- § 11: synthesis ----

export function render({ settings, weights, latents }, progress) {
  const { width, height, channels, depth } = settings;
  const blank = settings.seed === null && latents.every((latent) => !latent?.some((v) => v));
  if (!blank) return { width, height, pixels: synthesize(settings, weights, latents, progress) };
  const color = synthesize({ ...settings, height: 1, width: 1 }, weights, latents.map(() => null), () => {});
  return { width, height, pixels: makePixels(depth, height * width * channels).map((_, i) => color[i % channels]) };
}

const clamp = (i, size) => Math.min(Math.max(i, 0), size - 1);

/** § 11.1: a row of what has twice as many rows, from the four rows around it. */
function interpolateRow({ rows, columns, data }, taps, row, out) {
  const odd = row & 1, first = (row >> 1) - 2 + odd;
  const [a, b, c, d] = [0, 1, 2, 3].map((k) => clamp(first + k, rows) * columns);
  const [ta, tb, tc, td] = odd ? [taps[3], taps[2], taps[1], taps[0]] : taps;
  for (let i = 0; i < columns; i++) {
    out[i] = round(ta * data[a + i] + tb * data[b + i] + tc * data[c + i] + td * data[d + i], -LIMIT);
  }
}

/** The same along a row: `columns` samples to `size`, which go to `out` from `at` on. */
function interpolateAlong(samples, columns, taps, out, at, size) {
  const [t0, t1, t2, t3] = taps;
  let a = samples[0], b = a, c = a, d = samples[Math.min(1, columns - 1)];
  for (let i = 0, j = 0; i < size; i += 2, j++) {
    const e = samples[Math.min(j + 2, columns - 1)];
    out[at + i] = round(t0 * a + t1 * b + t2 * c + t3 * d, -LIMIT);
    if (i + 1 < size) out[at + i + 1] = round(t3 * b + t2 * c + t1 * d + t0 * e, -LIMIT);
    a = b, b = c, c = d, d = e;
  }
}

/** A latent without its border. */
export function withoutBorder(latent, { rows, columns }) {
  const data = new Float64Array(rows * columns), stride = columns + 2 * SIDE;
  for (let row = 0; row < rows; row++) {
    const from = (row + TOP) * stride + SIDE;
    data.set(latent.subarray(from, from + columns), row * columns);
  }
  return { rows, columns, data };
}

/** § 11.1: maps that are not zero, brought to the second finest resolution, and which input each is. */
function coarseMaps({ levels, noise, seed, latents: shapes }, weights, latents) {
  const maps = [];
  for (let level = levels - 1; level >= 1; level--) {
    const { rows, columns } = shapes[level], taps = weights.upsampling.subarray(4 * level, 4 * level + 4);
    for (const map of maps) {
      const data = new Float64Array(rows * columns), between = new Float64Array(map.columns);
      for (let row = 0; row < rows; row++) {
        interpolateRow(map, taps, row, between);
        interpolateAlong(between, map.columns, taps, data, row * columns, columns);
      }
      Object.assign(map, { rows, columns, data });
    }
    if (latents[level] !== null) maps.push({ input: level, ...withoutBorder(latents[level], shapes[level]) });
    if (level < noise) {
      const data = new Float64Array(rows * columns);
      for (let row = 0; row < rows; row++) noiseRow(seed, level, row, columns, data, row * columns);
      maps.push({ input: levels + level, rows, columns, data });
    }
  }
  return maps;
}

/**
 * Row by row: a row of the image needs three of refining units, these three of colors each. All lie in one array; rows of
 * colors and units are used again after four. Pixel i of a row is at i + 1, between repeated edges.
 */
function synthesize(settings, weights, latents, progress) {
  const { height, width, channels, depth, levels, noise, seed, s, r } = settings, inputs = levels + noise;
  const maps = coarseMaps(settings, weights, latents), taps = weights.upsampling.subarray(0, 4);
  const used = maps.map(({ input }) => input).concat(latents[0] ? 0 : [], noise ? levels : []).sort((a, b) => a - b);
  const stride = 4 * Math.ceil(width / 4) + 2, between = new Float64Array(width);
  let rows = 0;
  const reserve = (count) => Array.from({ length: count }, () => stride * rows++);
  const x = reserve(inputs), mixed = reserve(s), out = reserve(channels);
  const colors = [0, 1, 2, 3].map(() => reserve(channels)), units = [0, 1, 2, 3].map(() => reserve(r));
  const data = new Float64Array(rows * stride), pixels = makePixels(depth, height * width * channels);
  const largest = 2 ** depth - 1, half = largest >> 1;
  /** The 3 x 3 places around a pixel of a row; but for the edges, those of four rows before. */
  const around = (ring, more) => {
    const known = [];
    const make = (row) => Int32Array.from([-1, 0, 1].flatMap((i) => [-1, 0, 1].flatMap((j) => (
      ring[clamp(row + i, height) & 3].map((place) => place + j)))).concat(more ? more[row & 3] : []));
    return (row) => (row > 0 && row < height - 1 ? (known[row & 3] ??= make(row)) : make(row));
  };
  const aroundColors = around(colors), aroundUnits = around(units, colors);
  const select = (name) => weights[name].filter((_, i) => used.includes(i % inputs));
  const seen = Int32Array.from(used, (input) => x[input]), mixedAndSeen = Int32Array.from([...mixed, ...seen]);
  const pixelIn = select("pixel_in"), pixelOut = beside(weights.pixel_out, select("pixel_skip"), channels);
  const identity = Float64Array.from({ length: channels ** 2 }, (_, i) => +!(i % (channels + 1)));
  const refineOut = beside(weights.refine_out, identity, channels);
  const layer = (places, matrix, bias, least, to) => computeRow(data, places, matrix, weights[bias], least, to, width);
  for (let row = 0; row < height + 2; row++) {
    if (row < height) {
      const from = (row + TOP) * (width + 2 * SIDE) + SIDE;
      if (latents[0]) data.set(latents[0].subarray(from, from + width), x[0] + 1);
      if (noise) noiseRow(seed, 0, row, width, data, x[levels] + 1);
      for (const map of maps) {
        interpolateRow(map, taps, row, between);
        interpolateAlong(between, map.columns, taps, data, x[map.input] + 1, width);
      }
      layer(seen, pixelIn, "pixel_in_bias", 0, mixed);
      layer(mixedAndSeen, pixelOut, "pixel_out_bias", -LIMIT, colors[row & 3]);
    }
    if (row >= 1 && row <= height) {
      layer(aroundColors(row - 1), weights.refine_in, "refine_in_bias", 0, units[(row - 1) & 3]);
    }
    if (row >= 2) {
      layer(aroundUnits(row - 2), refineOut, "refine_out_bias", depth > 8 ? null : -LIMIT, out);
      for (let channel = 0; channel < channels; channel++) {
        let to = (row - 2) * width * channels + channel;
        for (let i = out[channel] + 1, end = i + width; i < end; i++, to += channels) {
          const value = Math.floor(largest * Math.min(Math.max(data[i], 0), 1) + 0.5);
          pixels[to] = depth > 8 ? Math.floor((value * 65535 + half) / largest) : value;
        }
      }
    }
    if (!(row & 31)) progress(row / (height + 2));
  }
  return pixels;
}

/** Two matrices side by side. */
function beside(a, b, rows) {
  const left = a.length / rows, right = b.length / rows;
  return Float64Array.from({ length: a.length + b.length }, (_, i) => {
    const row = Math.floor(i / (left + right)), column = i % (left + right);
    return column < left ? a[row * left + column] : b[row * right + column - left];
  });
}

/** A layer at a row's pixels, four at a time: from the rows that begin at `places` to those at `to`; null rounds nothing. */
function computeRow(data, places, matrix, bias, least, to, width) {
  const inputs = places.length, outputs = to.length;
  for (let at = 1; at <= width; at += 4) {
    for (let o = 0, w = 0; o < outputs; o++) {
      let a = bias[o], b = a, c = a, d = a;
      for (let k = 0; k < inputs; k++, w++) {
        const weight = matrix[w], from = places[k] + at;
        a += weight * data[from];
        b += weight * data[from + 1];
        c += weight * data[from + 2];
        d += weight * data[from + 3];
      }
      const end = to[o] + at;
      data[end] = least === null ? a : round(a, least);
      data[end + 1] = least === null ? b : round(b, least);
      data[end + 2] = least === null ? c : round(c, least);
      data[end + 3] = least === null ? d : round(d, least);
    }
  }
  for (const first of to) {
    data[first] = data[first + 1];
    data[first + width + 1] = data[first + width];
  }
}

// ---- § 7.2: the pretrained weights ----

const PRETRAINED = `
xQSm/i8Bef7NBMr/ef66/Jv/g/zr/Lr/AwQpAI4BxgEaBNgU6wt5A07rKPdJBhT8q/0F+XL+dAEZ/9IClwBzAf38hwQX+zIBtwIu/7f3QQTRA4H6tf8LA9YD
9wHm+IwGQQDy/t3/tvtr/LUI6QaD94AHWwPuCWn6Yfn7/acBpQSy+GUEJwGSBXvvMvg3/6wAAwUEFNAHQQNJ//n6ZfqDADcDRf+9Afr7Iv/fCTcCIP7L8cAQ
ivYb/wX8JAOzCZcIo/lxBZn5a//F/cf9vvV5DpkAfAGLBiD+9v8h+jX9if5OA3v/JARbAD8BufwFBuUByfyT/o4G6AaWBNb3zwVN/Mv88PtbAMsCIf2C/4H+
iQAnDbH7NP1OAskJ2f1B8pAF6/4I/e/7P/8BBl/7BwFz/W4BlvwnAab9s/+XCcf83vcF/Zz/tfsSAhX9B/7r/0b+av4tAAkDP/h3AV8MO+1M+CIBgwT3Bc8C
dvjSASUCN/1XAvv+rwEmALr4DQFDCrcKdv6OAJf9ofcYAGX/LgFd/iwCO/83BXH81urdCuX++wiq+7npUwoV/xoUOQes/fH9Lv1FAAkA/wBU/8Lxw/0uAnkD
3g3JCF/weP4K/s8CZgZV/ln+FQIQ/nkB5f8T/M//cf0OAXLt3ARECj0AhQKPByn9bQC7Ay/75AHf/EMDywoNCcIAdP5x/ELsmwa6/m8DmvjmAYH/kfzhAsIB
Uf2XAEgMhwCJCEMCav8JBucMlxBYAC7+Lv+U/scJ4/76/1P/Bwy9AtP6G/7r+48GLAqkChoCxQRaCfcCDQdz+pf7tfvZ//f16wXl8Kv/tgkn+noMrv1Q/7gL
HAihCRD5WPjt+zH8aPx/AsUci/vL4K8Edw+K9pPa/SZpElf+R/Sw8a/3ttxVJIEDgefx90XmLrzJ9sXKKPbfAScEop2E/5Dule3//mYNJzkG8m37asjvAUP3
f+bMAtUA9ztbD9nj2vP9/W3sKSJJ+WfoUxkcOxXqzyIiD2IeLt52FWjPOxlJ77rlZQLLCSX3Ff4H+1X9LwIv/mf6evCK/3EAK/osBGUKlg1//oT+W/9LAPH5
qv/VAJH+1fdRB1EENQdqDmP/efyFAOv8+PslC9sHrwBzBlcAd/8s/oP48QqZAJsBqwEy/egDcwWG/AwEe/sC+af/If0RCWnxhf52B2ECRfpW+1QCafe6BTX6
agVrAUT1MAT1AkwHdfb+/qkAXfKiAyP7Qf398o8ATvdTBq4EremJ/sv/WgSkAE7/vP3d+V/+4uqB/AsQBgPR/gr8KP8L9Lv9swbOCXX8f//y+w0HUv4/9k8C
v/or/zH54wJh/lr6EvumBFX70vhn/78DsAkIEfkNOv7uDN8D0vo1CK365/2A/UUAjQbh8tH/+vuV9AX9A/rb+84BEwMi//cD4vxHBZcLrv4FBKXzVP5bBaMC
6v8y9rnyHfum/Qv69QIZANn3p/zTBmf8Q/hgAqUDc//hCr38Gvda+IUHBvqR/G8B4QBv/fkBFw5i/IL9hvmh+uMAF/ch+1HzwvzUAhL9UvoCEFj81gZYCYDw
iwF4BcoDIfs18iv1Dv+q/8oAe//V/4UE+/v1+Br3Owr3/fn4yACG5bQLzQvQBnH96wo1AVMA9vbGBSsI8P8K/msEI/4L/pEGRgE+BBfrVQUy+wECtwjF9+UE
j/xdBEQEnf+vAjv6XwCb9LfuOvd/B8YI4ANJDewH+A7PDQQDUg4oDUwKlwbFBGsC6QdCC98BuwEnAgz76/9i/TgE4fyBARsDoQQOARf8SQV+/ML8S/3o+OkF
WP6h+LT82v6/A8P40/ubAd/7NwPjAoUCN/8uB8P/PgBmAKgA1gVfAI8AMP/X/0X/dQBfAOX/MgBp/00AowThAUT+Av7OATH7GwEAALgA3P4V/7T/jv8yAAD/
iwCX/7n/1fOpAH8DqwiTAd8A5QHnCY8B0wALA9IJowEMAc0CWAqvAswA2gH1CukCb/58/xEMcQU3AF8AcwMP/qb91QB1/8f9dP9P/5/+UgC9AIMAOQBN/+/8
jf2eAEkCJgOVAA4BI/+EA18BZv5JABUAdf98/swC+/+h/okAnP9dAb//tf3gAYoB7/3FAK//iv4FApMDHv4u/vf9Cv/Z/Dv9NQFK/Z76uwCnAXMApgGbAdoB
Bv9S/rUCVf+2/oP/FwI9Ax0AR/7A/akCE/4b/1X8ugCv/fv+mAJv/n/+qgS8AFcBugHLAZsCcgLV+2YA2/2d/aADJP6x/oP8NgLp/gH/6/5r/Y8Aj/+n/4n/
DQOz/kb8KQLWAsr+Kf2H/p4BGwAL/iYB5QGRASv8dwFJ/0/81v0iALUAAv/fAGkDlAFB/8z9iQBvAD4BX/9R/3/96f8v/5z9kwAlAWX85QQh/xH/avyGAIcA
lP0u/2b/6/5X/gUAkQRJBNH+hf9//r4A0f30/f/8FP3A/yH/sv0v/I8BkP5r/dv8ifp1+ef7FfzwAEEAbvwaACoAAQFKArf9Vf1VAfr+qwGb/pL9RwQH/53/
KgP+/AT/6fo1CDEDtf/vAqD8ZwTb+/38DQO6A4v9X/ypAs7/8P0D/HX8dvsl+94DEv5v/Sb8Pfv7/Cn97wI0Ay0CoQGRAicAzQM/AXkBvgRC/vL7ywFJAi7+
//uSA575fQK1/2X9ZgDW/UUK+/eWBPj4/P/kAlECrwFU/e8AIPvJ90b+mP48AIkA1AD5ACEB6f9wADIA/gClAEkBeAG1AEkAGwBWALb/7wD3AA8AiQA3B4UH
1ghX/UcCSQJYByEGLgAD/079gwD6/xL9B/ub/8n+lgGJBEsEU/le+BcCZwJf+w7+bQJg/lb7pwFtAVv9FwK3ABoCJQEa/bEF5PrbAGf9uwLp/dL1bQUJAwb7
1AK7/zL/gP18/OnyyfPWAtX5CwBWAL0Fxf7AAncCcQFXAA/+f/uA/84BpQE7BLD6BPzpAbL5+f5P86YBqfvzBWL/f/2K/pH/Cf7a+ywDr/6J/UwA3gUBApv+
3/37/5D/TgMC9p/+4fkKAe8FjPly/5cC6/3OANMBif33ATf9FwCEADUA+wBXAFr8+/z2/qYA4wP1AYoAAvYB/iMEeQsLBI/88fy//pcBIvOD/ecBzvbABX38
ov0j9a/8CwGe9nH+aAHwAPb+TwCL/MH+AwKO/EgAu/7z/sEARgGx/Vr/fgSLAfr/CAJAAI7/Cv8T/wIB4v2G/7gAbQDq/+P+rAAR/18AkwDh/vECqgC2/iYB
Dv6xALX+m/84/7UArAEXAcf/9f9w/2YApf55/tIB6/6vBFb9hv8AADD/9v82AMP/af8qAXX/XwDHAP7+vv36/7P/Q//h/68BmwQGAYUAdwARAAsA4gLi//L/
uv+x/REAsQK5/tEFhgC6/d0BQ/5NAFT/a/83/wsBqf+5AA8A3P81/VsAAgHF/YECh/6XApD8Kv/+/3v/7/8N/6f/cP+zAJT/zP9lAdf++P4SAHb/5P7SAFgC
XgErAY0AqgBX/2X/5gALAL//hwDv/mUAmwIJ/7kCtgA5ALsBVf7VAAEAOgEVAecDAgALAGkAQgBDAHcAVgFL/pQAxgB6Arv9WQDF/0b/8gDNANoBOP4IAVEA
Jf8OAZ3/df09Ac//K/8hAJoAjgHlAM7/tgAJ/3n/5/+dAB4AfAD3/mf9lf4//wn/PgEL/oX92fwCAYoDNf6TA0L9AgJwANL/2ALFAPz/v/6R/QL+cf8tAJ8A
ZQARAS8BOgBrANsH5wGmDdP8FPj6/ykC3fza+1374QD2A6/9/gAp+eMAbvwt47b81wSpBuf58wLv+pT6nvDUAiP8tv2zA3v+2QKC7oYA9f8pAEX/tAGs+YAD
gfieDYv9evM39t//3vJ39jUAUf2S+/sAiQGNA9f+8v+H/08Akf5HAPUB4f7UA6IA4/6VATf+mwBY/xUA1//jAXIAnwAVAAYA+P5pAFUALv6iAWn/QAM2/a7/
6/9R/0gABQBsAAb/9wDJ/8b/EwEm/w7+bgCo/xv/RwCLAYICBwFKAJ0Ae/+j/zoBaAA=
`;
