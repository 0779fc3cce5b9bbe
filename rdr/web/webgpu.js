/**
 * The synthesis of docs/format.md (§ 11) on the graphics processor: the same pixels as `decode`, bit for bit.
 *
 * Shaders have no float64, so that everything is whole numbers of 32 bits: numbers in units of 2^-12 (26 bits and a sign
 * at most), weights in units of 2^-9 (15 bits and a sign). A product has more than 32 bits. Each is taken apart into three
 * limbs of 12 bits, which are added up by themselves: 2^10 products fit.
 */
import { makePixels, noiseRow, open, place, readPart, render, withoutBorder } from "./decoder.js";

const SHADER = `
struct Shape { rows: u32, columns: u32, toRows: u32, toColumns: u32, inputs: u32, hidden: u32, outputs: u32, axis: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> weights: array<i32>;
@group(0) @binding(2) var<storage, read> source: array<i32>;
@group(0) @binding(3) var<storage, read_write> target_: array<i32>;
@group(0) @binding(4) var<storage, read> skip: array<i32>;

const LIMIT = 33550336;  // 8191 in units of 2^-12
struct Sum { a: i32, b: i32, c: i32 }

fn add(sum: ptr<function, Sum>, x: i32, w: i32) {
  let low = w * (x & 4095);
  let high = w * (x >> 12u);
  (*sum).a += low & 4095;
  (*sum).b += (low >> 12u) + (high & 4095);
  (*sum).c += high >> 12u;
}

/** Rounded from units of 2^-21 to those of 2^-12, halves to the even one, and limited. */
fn rounded(sum: Sum, least: i32) -> i32 {
  let b = sum.b + (sum.a >> 12u);
  let c = sum.c + (b >> 12u);
  if (c >= 1024) { return LIMIT; }
  if (c < -1024) { return least; }
  let a = sum.a & 4095;
  let rest = a & 511;
  var value = (c << 15u) + ((b & 4095) << 3u) + (a >> 9u);
  if (rest > 256 || (rest == 256 && (value & 1) == 1)) { value += 1; }
  return clamp(value, least, LIMIT);
}

/** Not rounded but limited: from 0 to 2^21, in units of 2^-21. */
fn fraction(sum: Sum) -> i32 {
  let b = sum.b + (sum.a >> 12u);
  let c = sum.c + (b >> 12u);
  if (c != 0) { return select(0, 2097152, c > 0); }
  return min(((b & 4095) << 12u) + (sum.a & 4095), 2097152);
}

/** § 11.3: the pixel of more than 8 bits. */
fn deep(t: i32, depth: u32) -> i32 {
  let below = 21u - depth;  // (2^depth - 1) t = 2^depth t - t, in two parts that 32 bits hold
  let rest = ((t & ((1 << below) - 1)) << depth) - t + 1048576;
  let code = u32((t >> below) + (rest >> 21u));
  let largest = (1u << depth) - 1u;
  return i32((code * 65535u + largest / 2u) / largest);
}

/** § 11.1: twice as many rows (axis 0) or columns (axis 1) of each map; weights holds the four taps. */
@compute @workgroup_size(8, 8) fn interpolate(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.toColumns || id.y >= shape.toRows) { return; }
  let along = select(id.y, id.x, shape.axis == 1u);
  let odd = i32(along & 1u);
  let size = i32(select(shape.rows, shape.columns, shape.axis == 1u));
  var sum = Sum(0, 0, 0);
  for (var k = 0; k < 4; k++) {
    let n = u32(clamp(i32(along >> 1u) - 2 + odd + k, 0, size - 1));
    let row = select(n, id.y, shape.axis == 1u);
    let column = select(id.x, n, shape.axis == 1u);
    add(&sum, source[(id.z * shape.rows + row) * shape.columns + column], weights[select(k, 3 - k, odd == 1)]);
  }
  target_[(id.z * shape.toRows + id.y) * shape.toColumns + id.x] = rounded(sum, -LIMIT);
}

/** § 11.2: colors of a pixel; weights are pixel_in, its bias, pixel_out, pixel_skip, their bias. */
@compute @workgroup_size(8, 8) fn mix_(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.columns || id.y >= shape.rows) { return; }
  let plane = shape.rows * shape.columns;
  let pixel = id.y * shape.columns + id.x;
  let bias = shape.hidden * shape.inputs;
  let out = bias + shape.hidden;
  let across = out + shape.outputs * shape.hidden;
  var sums = array<Sum, 3>();
  for (var h = 0u; h < shape.hidden; h++) {
    var sum = Sum(0, weights[bias + h], 0);
    for (var k = 0u; k < shape.inputs; k++) { add(&sum, source[k * plane + pixel], weights[h * shape.inputs + k]); }
    let value = rounded(sum, 0);
    for (var o = 0u; o < shape.outputs; o++) {
      var one = sums[o];
      add(&one, value, weights[out + o * shape.hidden + h]);
      sums[o] = one;
    }
  }
  for (var o = 0u; o < shape.outputs; o++) {
    var one = sums[o];
    for (var k = 0u; k < shape.inputs; k++) {
      add(&one, source[k * plane + pixel], weights[across + o * shape.inputs + k]);
    }
    one.b += weights[across + shape.outputs * shape.inputs + o];
    target_[o * plane + pixel] = rounded(one, -LIMIT);
  }
}

/** § 11.3: a 3 x 3 layer; axis 0: refining units, axis 1: pixels of toRows bits, where skip holds the colors. */
@compute @workgroup_size(8, 8) fn refine(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.columns || id.y >= shape.rows) { return; }
  let plane = shape.rows * shape.columns;
  let pixel = id.y * shape.columns + id.x;
  for (var o = 0u; o < shape.outputs; o++) {
    var sum = Sum(0, weights[9u * shape.inputs * shape.outputs + o], 0);
    var w = 9u * shape.inputs * o;
    for (var i = 0; i < 9; i++) {
      let row = u32(clamp(i32(id.y) + i / 3 - 1, 0, i32(shape.rows) - 1));
      let column = u32(clamp(i32(id.x) + i % 3 - 1, 0, i32(shape.columns) - 1));
      for (var k = 0u; k < shape.inputs; k++) {
        add(&sum, source[k * plane + row * shape.columns + column], weights[w]);
        w++;
      }
    }
    if (shape.axis == 0u) {
      target_[o * plane + pixel] = rounded(sum, 0);
    } else {
      add(&sum, skip[o * plane + pixel], 512);
      let byte = (255 * clamp(rounded(sum, -LIMIT), 0, 4096) + 2048) >> 12u;
      target_[pixel * shape.outputs + o] = select(byte, deep(fraction(sum), shape.toRows), shape.toRows > 8u);
    }
  }
}`;

/** Decodes as `decode` does, the synthesis on the graphics processor; where there is none, or it fails, in JavaScript. */
export async function decodeOnGpu(bytes, { max_pixels = null, progress = () => {} } = {}) {
  const image = open(bytes, max_pixels), gpu = await (opened ??= openGpu()).catch(() => null);
  image.device = gpu === null ? "javascript" : "webgpu";
  for (const [index, part] of image.parts.entries()) {
    const report = (fraction) => progress((index + fraction) / image.parts.length);
    const read = readPart(part, (fraction) => report(fraction / 2));
    let made = null;
    if (gpu !== null) made = await gpu.render(read).catch(() => null);
    if (made === null) {
      made = render(read, (fraction) => report((1 + fraction) / 2));
      image.device = "javascript";
    }
    place(image, part, made);
  }
  progress(1);
  delete image.parts;
  return image;
}

let opened = null;  // shaders are compiled once

async function openGpu() {
  const adapter = await navigator.gpu.requestAdapter();
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  device.lost.then(() => { opened = null; });
  const module = device.createShaderModule({ code: SHADER });
  const layout = device.createBindGroupLayout({ entries: ["uniform", "read-only-storage", "read-only-storage", "storage",
    "read-only-storage"].map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })) });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipelines = {};
  for (const entryPoint of ["interpolate", "mix_", "refine"]) {
    pipelines[entryPoint] = await device.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint } });
  }
  return { render: (read) => renderOnGpu(device, layout, pipelines, read) };
}

/** The latent of a level and its noise, in units of 2^-12, and which inputs of the network they are. */
function ownMaps({ levels, noise, seed, latents: shapes }, latents, level) {
  const { rows, columns } = shapes[level], maps = [], scaled = (data) => Int32Array.from(data, (x) => x * 2 ** 12);
  if (latents[level] !== null) maps.push({ input: level, data: scaled(withoutBorder(latents[level], shapes[level]).data) });
  if (level < noise) {
    const data = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++) noiseRow(seed, level, row, columns, data, row * columns);
    maps.push({ input: levels + level, data: scaled(data) });
  }
  return maps;
}

const integers = (weights) => Int32Array.from(weights, (w) => w * 2 ** 9);

async function renderOnGpu(device, layout, pipelines, { settings, weights, latents }) {
  const { height, width, channels, levels, noise, s, r, latents: shapes } = settings, made = [];
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const buffer = (size, more = 0) => {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | more;
    made.push(device.createBuffer({ size: Math.max(4 * size, 16), usage }));
    return made.at(-1);
  };
  const filled = (numbers, more) => {
    const result = buffer(numbers.length, more);
    device.queue.writeBuffer(result, 0, numbers);
    return result;
  };
  const nothing = buffer(4);
  const run = (name, sizes, matrix, source, target, planes = 1, skip = nothing) => {
    const [rows, columns] = name === "interpolate" ? sizes.slice(2) : sizes;
    const uniform = device.createBuffer({ size: 32, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    made.push(uniform);
    device.queue.writeBuffer(uniform, 0, Uint32Array.from(sizes));
    const entries = [uniform, matrix, source, target, skip].map((one, binding) => ({ binding, resource: { buffer: one } }));
    const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
    pass.setPipeline(pipelines[name]);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(Math.ceil(columns / 8), Math.ceil(rows / 8), planes);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  const inputs = [];  // which inputs of the network the maps are, in the order in which they lie in `maps`
  let maps = null, before = null;
  for (let level = levels - 1; level >= 0; level--) {
    const { rows, columns } = shapes[level], own = ownMaps(settings, latents, level);
    if (!inputs.length && !own.length) continue;
    const now = buffer((inputs.length + own.length) * rows * columns);
    if (inputs.length) {
      const taps = filled(integers(weights.upsampling.subarray(4 * level, 4 * level + 4)));
      const between = buffer(inputs.length * rows * before.columns);
      run("interpolate", [before.rows, before.columns, rows, before.columns, 0, 0, 0, 0], taps, maps, between, inputs.length);
      run("interpolate", [rows, before.columns, rows, columns, 0, 0, 0, 1], taps, between, now, inputs.length);
    }
    own.forEach(({ input, data }) => {
      device.queue.writeBuffer(now, 4 * inputs.length * rows * columns, data);
      inputs.push(input);
    });
    maps = now;
    before = { rows, columns };
  }
  const columnsOf = (name) => {
    const all = integers(weights[name]), count = levels + noise;
    return Array.from({ length: (all.length / count) * inputs.length }, (_, i) => (
      all[count * Math.floor(i / inputs.length) + inputs[i % inputs.length]]));
  };
  const mixing = Int32Array.from([...columnsOf("pixel_in"), ...integers(weights.pixel_in_bias),
    ...integers(weights.pixel_out), ...columnsOf("pixel_skip"), ...integers(weights.pixel_out_bias)]);
  const colors = buffer(channels * height * width), units = buffer(r * height * width);
  const out = buffer(channels * height * width, GPUBufferUsage.COPY_SRC);
  run("mix_", [height, width, 0, 0, inputs.length, s, channels, 0], filled(mixing), maps ?? nothing, colors);
  const layer = (name) => filled(Int32Array.from([...integers(weights[name]), ...integers(weights[`${name}_bias`])]));
  run("refine", [height, width, 0, 0, channels, 0, r, 0], layer("refine_in"), colors, units);
  run("refine", [height, width, settings.depth, 0, r, 0, channels, 1], layer("refine_out"), units, out, 1, colors);
  const read = device.createBuffer({ size: out.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  made.push(read);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(out, 0, read, 0, out.size);
  device.queue.submit([encoder.finish()]);
  const faults = [await device.popErrorScope(), await device.popErrorScope()].filter((fault) => fault !== null);
  if (faults.length) throw new Error(faults[0].message);
  await read.mapAsync(GPUMapMode.READ);
  const pixels = makePixels(settings.depth, channels * height * width);
  pixels.set(new Int32Array(read.getMappedRange(), 0, pixels.length));
  made.forEach((one) => one.destroy());
  return { width, height, pixels };
}
