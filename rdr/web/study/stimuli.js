// Images on the screen, pixel by pixel: a pixel of an image is a square of whole device pixels, never smoothed.
"use strict";
(function (root) {
  const { el } = root.StudyScreen;
  const GAP = 16;  // CSS pixels between images
  const RIM = 2;  // device pixels of the background around an image, as browsers soften edges off the grid
  const GRAY = "#808080";
  const kept = new Map();

  // Loads and decodes an image; the last ones are kept.
  function load(file) {
    if (!kept.has(file)) {
      const image = new Image();
      image.src = file;
      const ready = image.decode().then(() => image);
      kept.set(file, ready);
      ready.catch(() => kept.delete(file));
      if (kept.size > 24) kept.delete(kept.keys().next().value);
    }
    return kept.get(file);
  }

  // Where `count` boxes of width x height device pixels go in a window of across x down: beside each other, below each
  // other, or one at a time; whichever shows them whole, else whichever shows most of them.
  function arrange(count, width, height, across, down, gap) {
    const fit = (w, h) => ({ w: Math.max(1, Math.min(width, Math.floor(w))), h: Math.max(1, Math.min(height, Math.floor(h))) });
    const choices = [
      { mode: "row", ...fit((across - (count - 1) * gap) / count, down) },
      { mode: "column", ...fit(across, (down - (count - 1) * gap) / count) },
      { mode: "single", ...fit(across, down) },
    ];
    const share = ({ w, h }) => w * h / (width * height);
    const best = choices.find((one) => share(one) === 1)
      || choices.reduce((a, b) => (share(b) > share(a) * 1.3 ? b : a));
    const { mode, w, h } = best;
    const columns = mode === "row" ? count : 1, rows = mode === "column" ? count : 1;
    const left = Math.round((across - columns * w - (columns - 1) * gap) / 2);
    const top = Math.round((down - rows * h - (rows - 1) * gap) / 2);
    const boxes = Array.from({ length: count }, (_, i) => ({
      x: left + (mode === "row" ? i * (w + gap) : 0), y: top + (mode === "column" ? i * (h + gap) : 0), w, h,
    }));
    return { mode, boxes, whole: share(best) === 1 };
  }

  // A place for images. `layers` is a list of boxes, each a list of images that can be shown in it.
  class Stage {
    constructor(node, magnification) {
      Object.assign(this, { node, magnification });
      this.offset = { x: 0.5, y: 0.5 };  // of what is not seen, how much is left and above
      this.visible = [];
      this.timers = new Set();
      this.dragging = null;
      this.resized = () => this.layout();
      window.addEventListener("resize", this.resized);
      node.addEventListener("pointerdown", (event) => {
        node.setPointerCapture(event.pointerId);
        this.dragging = { x: event.clientX, y: event.clientY };
      });
      node.addEventListener("pointermove", (event) => {
        if (!this.dragging) return;
        this.pan(this.dragging.x - event.clientX, this.dragging.y - event.clientY);
        this.dragging = { x: event.clientX, y: event.clientY };
      });
      for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => { this.dragging = null; });
    }

    setImages(layers, area) {
      Object.assign(this, { layers, area });
      this.visible = layers.map(() => 0);
      this.single = 0;
      this.seen = new Set();
      this.layout();
    }

    layout() {
      if (!this.layers) return;
      const ratio = window.devicePixelRatio || 1, { top, bottom } = this.area();
      const across = Math.floor(window.innerWidth * ratio), down = Math.floor((bottom - top) * ratio);
      const image = this.layers[0][0], margin = Math.round(4 * ratio);
      // On fine screens a pixel of an image is several of the screen, as on any page, unless it is cut off then.
      let plan, m;
      for (let fine = Math.max(1, Math.round(ratio)); fine >= 1; fine--) {
        m = fine * this.magnification;
        plan = arrange(this.layers.length, image.naturalWidth * m, image.naturalHeight * m, across - 2 * margin,
          down - 2 * margin, Math.round(GAP * ratio));
        if (plan.whole && (plan.mode !== "single" || fine === 1)) break;
      }
      this.scale = m;
      const origin = Math.ceil(top * ratio);
      Object.assign(this.node.style, { left: "0px", top: `${origin / ratio}px`, width: `${across / ratio}px`, height: `${down / ratio}px` });
      Object.assign(this, { plan, ratio, margin });
      this.canvases = this.layers.map((images, i) => images.map(() => {
        const { x, y, w, h } = plan.boxes[i], canvas = el("canvas");
        canvas.width = w + 2 * RIM;
        canvas.height = h + 2 * RIM;
        Object.assign(canvas.style, { left: `${(x + margin - RIM) / ratio}px`, top: `${(y + margin - RIM) / ratio}px`,
          width: `${canvas.width / ratio}px`, height: `${canvas.height / ratio}px` });
        return canvas;
      }));
      this.node.replaceChildren(...this.canvases.flat());
      if (this.cross) this.node.append(this.cross);
      this.center();
      this.paint();
      this.refresh();
      if (this.changed) this.changed();
    }

    center() {
      if (!this.cross) return;
      const { x, y, w, h } = this.plan.boxes[0];
      Object.assign(this.cross.style, { left: `${(x + this.margin + w / 2) / this.ratio}px`, top: `${(y + this.margin + h / 2) / this.ratio}px` });
    }

    paint() {
      const m = this.scale;
      this.layers.forEach((images, i) => images.forEach((image, j) => {
        const canvas = this.canvases[i][j], context = canvas.getContext("2d"), { w, h } = this.plan.boxes[i];
        const x = Math.round((image.naturalWidth * m - w) * this.offset.x);
        const y = Math.round((image.naturalHeight * m - h) * this.offset.y);
        context.fillStyle = GRAY;
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.save();
        context.beginPath();
        context.rect(RIM, RIM, w, h);
        context.clip();
        context.imageSmoothingEnabled = false;
        context.drawImage(image, RIM - x, RIM - y, image.naturalWidth * m, image.naturalHeight * m);
        context.restore();
      }));
    }

    // By CSS pixels; all boxes show the same part.
    pan(x, y) {
      if (!this.plan || this.plan.whole) return;
      const image = this.layers[0][0], { w, h } = this.plan.boxes[0], m = this.scale;
      const move = (value, by, hidden) => hidden > 0 ? Math.max(0, Math.min(1, value + by * this.ratio / hidden)) : 0.5;
      this.offset = { x: move(this.offset.x, x, image.naturalWidth * m - w), y: move(this.offset.y, y, image.naturalHeight * m - h) };
      this.paint();
    }

    refresh() {
      this.canvases.forEach((canvases, i) => canvases.forEach((canvas, j) => {
        const shown = j === this.visible[i] && (this.plan.mode !== "single" || i === this.single);
        canvas.style.visibility = shown ? "visible" : "hidden";
        if (shown) this.seen.add(i);
      }));
    }

    // Which image of each box is shown; -1 for none.
    choose(layer) {
      this.visible = this.visible.map(() => layer);
      this.refresh();
    }

    select(box) {
      this.single = box;
      this.refresh();
      if (this.changed) this.changed();
    }

    allSeen() { return this.plan.mode !== "single" || this.seen.size === this.layers.length; }

    // Alternates between two images, `rate` changes a second, on the screen's own beat.
    flicker(rate) {
      let began = null, last = -1;
      const step = (now) => {
        began = began === null ? now : began;
        const layer = Math.floor((now - began) * rate / 1000) % 2;
        if (layer !== last) this.choose(layer);
        last = layer;
        this.timer = requestAnimationFrame(step);
      };
      this.timer = requestAnimationFrame(step);
    }

    // Shows layers one after another, `duration` each with `blank` between. Resolves with how long each was shown, in
    // milliseconds, from the frame that showed it to the frame that hid it.
    brief(layers, duration, blank, lead) {
      return new Promise((resolve) => {
        const frame = 1000 / 60, shown = [];
        let state = -1, since = null;  // state 2 i: blank before layer i; 2 i + 1: layer i
        const step = (now) => {
          if (since === null) { since = now; state = 0; this.choose(-1); }
          const limit = state % 2 ? duration : state === 0 ? lead : blank;
          // The frame that is drawn next appears about as late as this one did: half a frame decides.
          if (now - since >= limit - frame / 2) {
            if (state % 2) shown.push(now - since);
            state += 1;
            since = now;
            if (state === 2 * layers.length) { this.choose(-1); resolve(shown); return; }
            this.choose(state % 2 ? layers[(state - 1) / 2] : -1);
          }
          this.timer = requestAnimationFrame(step);
        };
        this.timer = requestAnimationFrame(step);
      });
    }

    setCross(on) {
      this.cross = on ? el("div", { class: "cross" }) : null;
      if (this.plan) this.layout();
    }

    stop() { cancelAnimationFrame(this.timer); }

    close() {
      this.stop();
      window.removeEventListener("resize", this.resized);
    }
  }

  const parts = { load, arrange, Stage };
  root.StudyStimuli = parts;
})(window);
