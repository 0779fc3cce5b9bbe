/** The page that compares images: its state, what it draws, and keys, mouse and touch. */

const MODES = { side: "side by side", flicker: "flicker", slider: "slider", difference: "difference", map: "map" };
const ZOOMS = [1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const NARROW = 700, GRIP = 24;

const content = JSON.parse(textOf("content")), { images } = content;
const $ = (id) => document.getElementById(id);
const stage = $("stage"), context = stage.getContext("2d");
const state = { mode: "side", a: 0, b: Math.min(1, images.length - 1), zoom: 1, x: images[0].width / 2,
  y: images[0].height / 2, split: 0.5, shown: "a", paused: matchMedia("(prefers-reduced-motion: reduce)").matches };

// ---- Pixels ----

async function pixelsOf(image, progress) {
  if (image.kind === "message") {
    return canvasOf(await decodeBeside(bytesOf(image.data), image.width * image.height, progress));
  }
  return canvasOfPng(image.data);
}

async function canvasOfPng(data) {
  const blob = new Blob([bytesOf(data)], { type: "image/png" });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}

const readPixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);

/** Makes a canvas by a function of the place in two images' data; it is made anew only when its name changes. */
const made = new Map();
function make(name, width, height, write) {
  const { kind } = name, key = JSON.stringify(name);
  if (made.get(kind)?.key === key) return made.get(kind).canvas;
  const canvas = document.createElement("canvas"), data = new ImageData(width, height);
  Object.assign(canvas, { width, height });
  write(data.data);
  canvas.getContext("2d").putImageData(data, 0, 0);
  made.set(kind, { key, canvas });
  return canvas;
}

function difference() {
  const [a, b] = [images[state.a], images[state.b]], gain = 2 ** $("gain").value;
  return make({ kind: "difference", a: state.a, b: state.b, gain }, a.width, a.height, (out) => {
    const x = readPixels(a.canvas).data, y = readPixels(b.canvas).data;
    for (let i = 0; i < out.length; i++) out[i] = i % 4 === 3 ? 255 : 128 + gain * (x[i] - y[i]);
  });
}

const colors = bytesOf(content.colors);  // 256 x 3
function colored(source, kind) {
  return make({ kind, a: state.a, map: $("map").value }, source.width, source.height, (out) => {
    const gray = readPixels(source).data;
    for (let i = 0; i < out.length; i += 4) {
      out.set(colors.subarray(3 * gray[i], 3 * gray[i] + 3), i);
      out[i + 3] = 255;
    }
  });
}

// ---- Drawing ----

/** Puts an image into a pane, both in the screen's pixels; whole factors are not smoothed. */
function paint(canvas, [left, top, width, height], label) {
  const { zoom } = state;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.imageSmoothingEnabled = zoom < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, Math.round(left + width / 2 - state.x * zoom), Math.round(top + height / 2 - state.y * zoom),
    canvas.width * zoom, canvas.height * zoom);
  context.restore();
  if (label) write(label, left, top, width);
}

function write(label, left, top, width, right = false) {
  const size = Math.round(14 * devicePixelRatio);
  context.font = `${size}px system-ui, sans-serif`;
  let shown = label;
  while (shown.length > 4 && context.measureText(shown).width > width - size) shown = `${shown.slice(0, -2).trimEnd()}…`;
  const length = Math.min(context.measureText(shown).width + size, width), from = right ? left + width - length : left;
  context.fillStyle = "#000a";
  context.fillRect(from, top, length, 1.7 * size);
  context.fillStyle = "#fff";
  context.fillText(shown, from + size / 2, top + 1.2 * size);
}

/** Panes side by side, or one below the other on a narrow screen. */
function panes(count) {
  const { width, height } = stage;
  if (count === 1) return [[0, 0, width, height]];
  const gap = Math.round(4 * devicePixelRatio);
  const below = stage.clientWidth < NARROW && stage.clientHeight > stage.clientWidth * 0.8;
  const side = Math.floor(((below ? height : width) - gap) / 2);
  return below ? [[0, 0, width, side], [0, side + gap, width, height - side - gap]]
    : [[0, 0, side, height], [side + gap, 0, width - side - gap, height]];
}

const label = (which) => `${which.toUpperCase()}: ${images[state[which]].name}`;

function draw() {
  const { width, height } = stage, whole = [0, 0, width, height], [a, b] = [images[state.a], images[state.b]];
  context.clearRect(0, 0, width, height);
  if (!a?.canvas || !b?.canvas) return;
  if (state.mode === "side") {
    const rects = panes(state.a === state.b ? 1 : 2);
    rects.forEach((rect, i) => paint([a, b][i].canvas, rect, label("ab"[i])));
  } else if (state.mode === "flicker") {
    paint(images[state[state.shown]].canvas, whole, label(state.shown));
  } else if (state.mode === "slider") {
    const at = Math.round(state.split * width);
    paint(b.canvas, whole);
    context.fillStyle = "#767676";
    context.fillRect(0, 0, at, height);
    context.save();
    context.beginPath();
    context.rect(0, 0, at, height);
    context.clip();
    paint(a.canvas, whole);
    context.restore();
    const line = Math.max(1, Math.round(devicePixelRatio));
    context.fillStyle = "#fff";
    context.fillRect(at - line, 0, 2 * line, height);
    context.beginPath();
    context.arc(at, height / 2, 9 * devicePixelRatio, 0, 7);
    context.fill();
    write(label("a"), 0, 0, width / 2);
    write(label("b"), width / 2, 0, width / 2, true);
  } else if (state.mode === "difference") {
    paint(difference(), whole, `128 + ${2 ** $("gain").value} (A − B): ${a.name} − ${b.name}`);
  } else {
    const [first, second] = panes(2), map = a.maps.find(({ name }) => name === $("map").value) ?? a.maps[0];
    paint(a.canvas, first, label("a"));
    if (map) paint(colored(map.canvas, "map"), second, `${map.name}, mean ${map.mean}`);
    else write("there is no map of the reference", second[0], second[1], second[2]);
  }
}

let asked = false;
function update() {
  for (const button of $("modes").children) button.setAttribute("aria-pressed", String(button.value === state.mode));
  for (const group of document.querySelectorAll("[data-mode]")) group.hidden = group.dataset.mode !== state.mode;
  $("a").value = state.a;
  $("b").value = state.b;
  $("zoom").value = `${state.zoom < 1 ? (100 * state.zoom).toFixed(0) : 100 * state.zoom} %`;
  $("period-said").value = `${$("period").value} ms`;
  $("gain-said").value = `× ${2 ** $("gain").value}`;
  $("pause").textContent = state.paused ? "go on" : "pause";
  $("peak").textContent = images[state.a].maps.find(({ name }) => name === $("map").value)?.peak ?? "";
  if (!asked) requestAnimationFrame(() => { asked = false; draw(); });
  asked = true;
}

// ---- What can be done ----

/** Zooms about a pointer, or about the middles of the panes. */
function setZoom(zoom, x, y) {
  if (x !== undefined) {
    // The point of the image under (x, y) stays where it is, as seen from the pane that (x, y) is in.
    const rect = rects().find(([left, top, w, h]) => x >= left && x <= left + w && y >= top && y <= top + h) ?? rects()[0];
    const dx = x - rect[0] - rect[2] / 2, dy = y - rect[1] - rect[3] / 2;
    state.x += dx / state.zoom - dx / zoom;
    state.y += dy / state.zoom - dy / zoom;
  }
  state.zoom = zoom;
  move(0, 0);
}

const rects = () => panes((state.mode === "side" && state.a !== state.b) || state.mode === "map" ? 2 : 1);

function step(direction, x, y) {
  const at = ZOOMS.indexOf(state.zoom) + direction;
  if (ZOOMS[at]) setZoom(ZOOMS[at], x, y);
}

function fit() {
  const [, , width, height] = rects()[0], { width: w, height: h } = images[0];
  Object.assign(state, { x: w / 2, y: h / 2 });
  state.zoom = ZOOMS.findLast((zoom) => zoom * w <= width && zoom * h <= height) ?? ZOOMS[0];
  update();
}

/** Moves by the screen's pixels; the image's middle stays in sight. */
function move(dx, dy) {
  state.x = Math.min(Math.max(state.x + dx / state.zoom, 0), images[0].width);
  state.y = Math.min(Math.max(state.y + dy / state.zoom, 0), images[0].height);
  update();
}

function setMode(mode) {
  state.mode = mode;
  state.shown = "a";
  update();
}

function next(which) {
  state[which] = (state[which] + 1) % images.length;
  update();
}

function swap() {
  [state.a, state.b] = [state.b, state.a];
  update();
}

function other() {
  state.shown = state.shown === "a" ? "b" : "a";
  update();
}

function togglePause() {
  state.paused = !state.paused;
  update();
}

function turn(direction) {
  if (state.mode === "slider") state.split = Math.min(Math.max(state.split + direction / 40, 0), 1);
  else $(state.mode === "flicker" ? "period" : "gain")[direction > 0 ? "stepUp" : "stepDown"]();
  update();
}

function nextMap() {
  const choice = $("map");
  if (choice.options.length) choice.selectedIndex = (choice.selectedIndex + 1) % choice.options.length;
  update();
}

const STEP = 64;
const KEYS = {
  "+": () => step(1), "=": () => step(1), "-": () => step(-1), "−": () => step(-1), "0": () => setZoom(1), f: fit,
  ArrowLeft: () => move(-STEP, 0), ArrowRight: () => move(STEP, 0), ArrowUp: () => move(0, -STEP),
  ArrowDown: () => move(0, STEP), a: () => next("a"), b: () => next("b"), x: swap, " ": other, p: togglePause,
  "[": () => turn(-1), "]": () => turn(1), m: nextMap,
};
Object.keys(MODES).forEach((mode, i) => { KEYS[i + 1] = () => setMode(mode); });

function listen() {
  addEventListener("keydown", (event) => {
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const inControl = /^(SELECT|INPUT)$/.test(event.target.tagName) && /^(Arrow| )/.test(event.key);
    const pressing = event.target.tagName === "BUTTON" && event.key === " ";
    if (!action || event.ctrlKey || event.metaKey || event.altKey || inControl || pressing) return;
    event.preventDefault();
    action();
  });
  const clicks = { in: () => step(1), out: () => step(-1), fit, swap, pause: togglePause };
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
  for (const which of ["a", "b"]) {
    $(which).addEventListener("change", ({ target }) => { state[which] = Number(target.value); update(); });
  }
  for (const id of ["period", "gain", "map"]) $(id).addEventListener("input", update);
  new ResizeObserver(() => {
    stage.width = Math.round(stage.clientWidth * devicePixelRatio);
    stage.height = Math.round(stage.clientHeight * devicePixelRatio);
    update();
  }).observe(stage);
  let turned = performance.now();
  setInterval(() => {
    if (state.mode !== "flicker" || state.paused || performance.now() - turned < Number($("period").value) - 10) return;
    turned = performance.now();
    other();
  }, 25);
  listenToPointers();
}

function listenToPointers() {
  const pointers = new Map();
  let sliding = false, apart = 0, rolled = 0;
  const place = ({ clientX, clientY }) => {
    const box = stage.getBoundingClientRect();
    return [(clientX - box.left) * devicePixelRatio, (clientY - box.top) * devicePixelRatio];
  };
  const distance = () => {
    const [[x, y], [u, v]] = [...pointers.values()];
    return Math.hypot(x - u, y - v);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    const grip = GRIP * devicePixelRatio;
    sliding = pointers.size === 1 && state.mode === "slider" && Math.abs(place(event)[0] - state.split * stage.width) < grip;
    if (pointers.size === 2) apart = distance();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId), now = place(event);
    pointers.set(event.pointerId, now);
    if (sliding) {
      state.split = Math.min(Math.max(now[0] / stage.width, 0), 1);
      update();
    } else if (pointers.size === 2) {
      const [[x, y], [u, v]] = [...pointers.values()], ratio = distance() / apart;
      if (ratio > 1.35 || ratio < 1 / 1.35) {
        step(ratio > 1 ? 1 : -1, (x + u) / 2, (y + v) / 2);
        apart = distance();
      }
      move((before[0] - now[0]) / 2, (before[1] - now[1]) / 2);
    } else {
      move(before[0] - now[0], before[1] - now[1]);
    }
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, ({ pointerId }) => { pointers.delete(pointerId); sliding = false; });
  }
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    rolled += event.deltaY;
    if (Math.abs(rolled) < 60) return;
    step(rolled < 0 ? 1 : -1, ...place(event));
    rolled = 0;
  }, { passive: false });
}

// ---- The page ----

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function build() {
  for (const [mode, name] of Object.entries(MODES)) {
    const button = element("button", name, $("modes"));
    button.value = mode;
    button.addEventListener("click", () => setMode(mode));
    if (mode === "map") button.disabled = !images.some(({ maps }) => maps.length);
    else button.disabled = mode !== "side" && images.length < 2;
  }
  images.forEach((image, i) => {
    for (const which of ["a", "b"]) element("option", image.name, $(which)).value = i;
  });
  const columns = [...new Set(images.flatMap(({ metrics }) => Object.keys(metrics)))];
  const head = element("tr", "", element("thead", "", $("table"))), body = element("tbody", "", $("table"));
  for (const name of ["", "bytes", "bits per pixel", ...columns]) element("th", name, head).scope = "col";
  for (const { name, bytes, rate, metrics } of images) {
    const row = element("tr", "", body);
    const cell = element("th", name, row);
    Object.assign(cell, { scope: "row", title: name });
    for (const value of [bytes, rate, ...columns.map((column) => metrics[column])]) element("td", value ?? "", row);
  }
  for (const name of new Set(images.flatMap(({ maps }) => maps.map((map) => map.name)))) element("option", name, $("map"));
  const scale = new ImageData(256, 1);
  for (let i = 0; i < 256; i++) scale.data.set([...colors.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  $("scale").getContext("2d").putImageData(scale, 0, 0);
}

build();
listen();
try {
  for (const image of images) {
    image.canvas = await pixelsOf(image, (fraction) => {
      $("state").textContent = `decoding ${image.name}, ${Math.round(100 * fraction)} %`;
    });
    for (const map of image.maps) map.canvas = await canvasOfPng(map.data);
  }
  $("state").remove();
  state.a = images.findIndex((_, i) => i !== content.reference);
  state.b = content.reference ?? state.b;
  if (state.a < 0) state.a = 0;
  fit();
} catch (error) {
  $("state").textContent = error.message;
}
document.documentElement.dataset.done = "true";
