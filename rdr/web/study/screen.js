// Small parts of pages, and what is asked about the screen: how large, how far away, how it shows gray.
"use strict";
(function (root) {
  const CARD = [85.6, 53.98];  // millimeters of ID-1 cards, ISO/IEC 7810

  // Text is text: nothing that comes from data is parsed as markup.
  function el(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") node.addEventListener("click", value);
      else if (key === "style") Object.assign(node.style, value);
      else if (typeof value === "boolean") node.toggleAttribute(key, value);
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  const page = () => document.getElementById("page");
  let keys = {};

  // Shows a page; `handlers` says what keys do, and letters are the same in both cases.
  function show(children, handlers = {}, trial = false) {
    document.body.classList.toggle("trial", trial);
    page().replaceChildren(...children);
    keys = handlers;
    window.scrollTo(0, 0);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const native = target.tagName === "BUTTON" || target.tagName === "SUMMARY" ? ["Enter", " "]
      : target.type === "text" ? [...(event.key.length === 1 ? [key] : []), "ArrowLeft", "ArrowRight"]
        : target.type === "number" ? [...(event.key.length === 1 ? [key] : []), "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]
          : [];
    const handler = keys[key];
    if (!handler || native.includes(key)) return;
    event.preventDefault();
    if (!event.repeat || handler.repeats) handler(event);
  });
  document.addEventListener("keyup", (event) => {
    const handler = keys[`${event.key} up`];
    if (handler) handler(event);
  });

  const repeating = (handler) => Object.assign(handler, { repeats: true });
  const key = (name) => el("kbd", {}, name);
  const button = (text, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, text);
  const heading = (text) => el("h1", {}, text);

  // Resolves with what `finish` is called with.
  const ask = (build) => new Promise((resolve) => {
    let done = false;
    build((value) => { if (!done) { done = true; resolve(value); } });
  });

  // Millimeters to pixels, by a card held against the screen. Resolves with CSS pixels per millimeter.
  function askCard(step) {
    return ask((finish) => {
      const upright = window.innerWidth < 600;
      const [across, down] = upright ? [CARD[1], CARD[0]] : CARD;
      let width = Math.min(window.innerWidth - 40, Math.round(across * (upright ? 5.5 : 3.8)));
      const card = el("div", { class: "card" });
      const set = (value) => {
        width = Math.max(80, Math.min(window.innerWidth - 34, value));
        Object.assign(card.style, { width: `${width}px`, height: `${width * down / across}px`, borderRadius: `${width * 3.2 / across}px` });
      };
      const grow = (by) => repeating((event) => set(width + by * (event.shiftKey ? 10 : 1)));
      const done = () => finish(width / across);
      show([
        heading("How large is your screen?"),
        el("p", {}, "Hold a bank card, or any card of that size, against the gray rectangle. Make the rectangle as ",
          upright ? "wide as the card's short side: " : "wide as the card: ", key("→"), " wider, ", key("←"),
          " narrower, with ", key("Shift"), " faster."),
        el("div", { class: "buttons" }, button("− narrower", () => set(width - 2)), button("+ wider", () => set(width + 2)),
          button("It fits", done, { class: "main" })),
        card,
        el("p", { class: "note" }, key("Enter"), " when it fits.", ` ${step}`),
      ], { ArrowRight: grow(1), ArrowUp: grow(1), ArrowLeft: grow(-1), ArrowDown: grow(-1), Enter: done });
      set(width);
    });
  }

  // Resolves with centimeters.
  function askDistance(step) {
    return ask((finish) => {
      const input = el("input", { type: "number", min: 10, max: 500, step: 1, value: window.innerWidth < 600 ? 35 : 60, id: "distance" });
      const problem = el("p", { class: "warning", role: "alert", hidden: true }, "Please enter a number from 10 to 500.");
      const change = (by) => { input.value = Math.max(10, Math.min(500, (Number(input.value) || 60) + by)); };
      const done = () => {
        const value = Number(input.value);
        if (value >= 10 && value <= 500) finish(value);
        else problem.hidden = false;
      };
      show([
        heading("How far away is it?"),
        el("p", {}, "Sit as you will sit, and measure or estimate how far your eyes are from the screen. An arm's length is "
          + "about 60 cm. Please stay at that distance."),
        el("label", { for: "distance" }, "Distance in centimeters"),
        el("div", { class: "buttons" }, button("−", () => change(-5), { "aria-label": "5 centimeters less" }), input,
          button("+", () => change(5), { "aria-label": "5 centimeters more" }), button("Go on", done, { class: "main" })),
        problem,
        el("p", { class: "note" }, key("↑"), " ", key("↓"), " change the number, ", key("Enter"), ` goes on. ${step}`),
      ], { Enter: done, ArrowUp: repeating(() => change(1)), ArrowDown: repeating(() => change(-1)) });
      input.focus();
    });
  }

  // Stripes of black and white have half the light of white; the gray that looks the same says the screen's gamma.
  const gammaOf = (gray) => Math.log(0.5) / Math.log(gray / 255);

  function paintGamma(canvas, gray) {
    const { width, height } = canvas, context = canvas.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#fff";
    for (let y = 0; y < height; y += 2) context.fillRect(0, y, width, 1);
    context.fillStyle = `rgb(${gray},${gray},${gray})`;
    context.fillRect(Math.round(width * 0.3), Math.round(height * 0.25), Math.round(width * 0.4), Math.round(height * 0.5));
  }

  function paintSteps(canvas) {
    const { width, height } = canvas, context = canvas.getContext("2d");
    for (let i = 0; i < 2; i++) {
      const paint = (value, x, y, w, h) => {
        context.fillStyle = `rgb(${value},${value},${value})`;
        context.fillRect(x, y, w, h);
      };
      paint(i ? 255 : 0, 0, i * height / 2, width, height / 2);
      for (let j = 0; j < 4; j++) {
        const step = 5 * (j + 1);
        paint(i ? 255 - step : step, width * (j + 0.3) / 4, height * (i + 0.25) / 2, width * 0.1, height / 4);
      }
    }
  }

  // A canvas of whole device pixels.
  function deviceCanvas(width, height) {
    const ratio = window.devicePixelRatio || 1, canvas = el("canvas", { class: "patch", role: "img" });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    Object.assign(canvas.style, { width: `${canvas.width / ratio}px`, height: `${canvas.height / ratio}px` });
    return canvas;
  }

  // Puts an element's corner onto a device pixel, so that lines are not smeared over two.
  function align(node) {
    const ratio = window.devicePixelRatio || 1, box = node.getBoundingClientRect();
    const shift = (x) => (Math.round(x * ratio) - x * ratio) / ratio;
    node.style.transform = `translate(${shift(box.left)}px, ${shift(box.top)}px)`;
  }

  function askGamma(step) {
    return ask((finish) => {
      let gray = 150 + Math.floor(Math.random() * 30);
      const size = Math.min(320, window.innerWidth - 48), canvas = deviceCanvas(size, 160), steps = deviceCanvas(size, 100);
      canvas.setAttribute("aria-label", "Gray rectangle on black and white stripes");
      steps.setAttribute("aria-label", "Four dark squares on black, four light ones on white");
      const set = (value) => { gray = Math.max(100, Math.min(250, value)); paintGamma(canvas, gray); };
      const move = (by) => repeating((event) => set(gray + by * (event.shiftKey ? 10 : 1)));
      const done = () => finish(gammaOf(gray));
      show([
        heading("How does it show gray?"),
        el("p", {}, "Switch off night modes and let the screen be as bright as usual. Look at the first picture through half-closed "
          + "eyes, and make the rectangle as bright as the stripes around it, until it all but vanishes: ",
        key("→"), " brighter, ", key("←"), " darker."),
        canvas,
        el("div", { class: "buttons" }, button("− darker", () => set(gray - 2)), button("+ brighter", () => set(gray + 2)),
          button("It is as bright", done, { class: "main" })),
        el("p", {}, "Below, there are four squares on black and four on white. If you cannot see them all, turn the screen "
          + "towards you or change its brightness."),
        steps,
        el("p", { class: "note" }, key("Enter"), ` goes on. ${step}`),
      ], { ArrowRight: move(1), ArrowUp: move(1), ArrowLeft: move(-1), ArrowDown: move(-1), Enter: done });
      set(gray);
      paintSteps(steps);
      align(canvas);
    });
  }

  // Pixels of the image for a degree of visual angle, where one of them is `scale` pixels of the screen a side.
  const pixelsPerDegree = (devicePixelsPerMm, centimeters, scale) =>
    devicePixelsPerMm * 2 * 10 * centimeters * Math.tan(Math.PI / 360) / scale;

  const parts = { el, key, button, heading, ask, show, repeating, askCard, askDistance, askGamma, gammaOf, pixelsPerDegree };
  root.StudyScreen = parts;
})(window);
