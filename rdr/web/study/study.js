// A session from the first page to the last: consent, screen, instructions, trials, answers.
"use strict";
(async function () {
  const { OBSERVER, toCsv, Memory, Mirrored, Answers, Outbox } = window.StudyAnswers;
  const { el, key, button, heading, ask, show, repeating, askCard, askDistance, askGamma, pixelsPerDegree } = window.StudyScreen;
  const { load, Stage } = window.StudyStimuli;
  const study = window.STUDY, { plan, settings } = study, served = Boolean(window.STUDY_SERVER);
  const protocol = plan.protocol, conditions = plan.conditions + 1;
  const total = plan.training + plan.test + plan.catch;
  const LEAST = 200;  // milliseconds after which an answer is one
  const ATTEMPTS = 3;  // to show images for the time that they are to be shown

  let storage;
  try {
    storage = window.localStorage;
    storage.setItem("rdr-study-test", "1");
    storage.removeItem("rdr-study-test");
  } catch {
    storage = new Memory();
  }
  storage = await Mirrored.open(storage, `rdr-study/${study.study}/`);
  const answers = new Answers(storage, study.study);
  const slots = Object.fromEntries(answers.sessions().map((one) => [one.session, one.slot]));
  const outbox = new Outbox(answers, served ? "answers" : settings.collect, { slot: (session) => slots[session] ?? null });

  const QUESTIONS = {
    "2afc": settings.question === "closer" ? "Which image is closer to the original in the middle?" : "Which image looks better?",
    triplet: "Which image differs more from the original?",
    flicker: "Which image flickers more?",
    "3afc": "Which image is different from the other two?",
    foveated: "Which image differed from the original?",
  };
  const HINTS = { triplet: "Hold the space bar, or the button, to see the original in both places.", foveated: "Keep looking at the cross." };
  const CUT = "Drag the images to see the rest of them.";
  const randomHex = (bytes) => Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const minutes = Math.max(1, Math.round(total * (protocol === "foveated" ? 6 : 5) / 60));

  function download(text, name, type = "text/csv") {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = el("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  // ---- who ----

  async function post(url, body) {
    const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw Object.assign(new Error(`The server answered ${response.status}.`), { status: response.status });
    return response.json();
  }

  // Asks again and again until the server answers; what it refuses is an error.
  async function insist(call, waiting) {
    for (let pause = 500; ; pause = Math.min(2 * pause, 10000)) {
      try {
        return await call();
      } catch (error) {
        if (error.status >= 400 && error.status < 500) throw error;
        waiting(true);
        await sleep(pause);
      }
    }
  }

  async function begin(observer) {
    const info = { observer: observer || `o${randomHex(4)}`, started: new Date().toISOString(), screen: null, finished: false };
    if (served) {
      Object.assign(info, await post("session", { study: study.study, observer: info.observer }));
    } else {
      const number = /^0*[1-9][0-9]{0,5}$/.test(observer) ? Number(observer) - 1 : crypto.getRandomValues(new Uint32Array(1))[0];
      Object.assign(info, { session: randomHex(16), slot: number % study.trials.length });
    }
    slots[info.session] = info.slot ?? null;
    answers.saveSession(info);
    return info;
  }

  function welcome(message = "") {
    const open = answers.sessions().filter((one) => !one.finished).sort((a, b) => a.started < b.started ? 1 : -1)[0];
    const rows = answers.rows();
    return ask((finish) => {
      const given = new URLSearchParams(location.search).get("observer") || "";
      const code = el("input", { type: "text", id: "code", maxlength: 40, autocomplete: "off", spellcheck: "false", value: OBSERVER.test(given) ? given : "" });
      const problem = el("p", { class: "warning", role: "alert", hidden: !message }, message);
      let busy = false;
      const start = async () => {
        if (busy) return;
        const text = code.value.trim();
        if (text && !OBSERVER.test(text)) {
          problem.textContent = "A code has letters, digits, dots and hyphens only.";
          problem.hidden = false;
          return;
        }
        busy = true;
        try {
          finish(await begin(text));
        } catch (error) {
          problem.textContent = `The study could not be started: ${error.message}`;
          problem.hidden = false;
        }
        busy = false;
      };
      const resume = open ? () => finish(open) : null;
      const arrival = served || settings.collect
        ? " They are sent to the people who run the study, and kept in this browser, too."
        : " They stay in this browser until you download them at the end.";
      show([
        heading(settings.title),
        ...(open ? [
          el("p", {}, `You have begun already and answered ${answers.rows(open.session).length} of ${total} questions.`),
          el("div", { class: "buttons" }, button("Go on", resume, { class: "main" })),
          el("p", { class: "note" }, key("Enter"), " goes on. To begin as somebody else, use the button at the bottom."),
        ] : []),
        el("p", {}, `You will see images and answer one question about them, ${total} times. This takes about ${minutes} `
          + `minute${minutes === 1 ? "" : "s"}; there are no right or wrong opinions, and you can take your time.`),
        el("p", {}, "What is stored: your answers, how long each took, the size of your screen and how far you sit from it, and "
          + "the code below, if you enter one. No name, no address, no cookie." + arrival),
        el("p", {}, "You take part of your own free will, and may stop at any time by closing the page. When you open it again in "
          + "this browser, you go on where you were."),
        ...(protocol === "flicker" ? [el("p", { class: "warning" }, "The images flicker. Please do not take part if flickering light "
          + "can make you ill, as with photosensitive epilepsy.")] : []),
        ...(storage.lasts ? [] : [el("p", { class: "warning" }, "This browser stores nothing for this page: if you close it, your answers are lost.")]),
        el("label", { for: "code" }, "Your code, if you were given one"),
        code, problem,
        el("div", { class: "buttons" }, button(open ? "Begin as somebody else" : "I agree, begin", start, { class: open ? "" : "main" })),
        ...(open ? [] : [el("p", { class: "note" }, "Everything works with the keyboard: ", key("Enter"), " goes on.")]),
        ...(rows.length ? [stored(rows)] : []),
      ], { Enter: (event) => (resume && event.target !== code ? resume() : start()) });
    });
  }

  function stored(rows) {
    const erase = button("Delete them", () => {
      if (erase.textContent === "Delete them") erase.textContent = "Really delete them?";
      else {
        answers.remove();
        storage.flushed().then(() => location.reload());
      }
    });
    return el("details", {}, el("summary", {}, "Answers in this browser"),
      el("p", {}, `${rows.length} answers of ${answers.sessions().length} session(s).`),
      el("div", { class: "buttons" }, button("Download all as CSV", () => download(toCsv(rows), `answers-${study.study}.csv`)), erase));
  }

  // ---- instructions ----

  const upright = () => stage && stage.plan && stage.plan.mode === "column";

  function choices(mode) {
    if (protocol === "foveated") return [["left", "←", "Second image"], ["right", "→", "Third image"]];
    const list = mode === "column"
      ? [["left", "↑", "Upper"], ...(protocol === "3afc" ? [["middle", "→", "Middle"]] : []), ["right", "↓", "Lower"]]
      : [["left", "←", "Left"], ...(protocol === "3afc" ? [["middle", "↓", "Middle"]] : []), ["right", "→", "Right"]];
    if (settings.not_sure) list.splice(1, 0, ["notsure", mode === "column" ? "→" : "↓", "Not sure"]);
    return list;
  }

  const KEYS = { "←": "ArrowLeft", "→": "ArrowRight", "↑": "ArrowUp", "↓": "ArrowDown" };

  function instructions() {
    const what = {
      "2afc": settings.question === "closer"
        ? ["You see the original in the middle, and a processed version on either side. Say which of the two is closer to the original."]
        : ["You see two versions of an image. Say which one looks better to you."],
      triplet: ["You see two processed versions of an image. Hold the space bar, or the button Original, and the original appears in both places; let go, and they are back. Do that as often as you like.",
        "Say which of the two differs more from the original. If you see no difference, look again, then make a guess" + (settings.not_sure ? ", or say that you are not sure." : ".")],
      flicker: ["You see two images, each of which changes back and forth between the original and a processed version. Say which one flickers more."
        + (settings.not_sure ? " If you cannot tell, say that you are not sure." : "")],
      "3afc": ["You see three images. Two are the same, one is different. Say which one is different; if you cannot tell, guess."],
      foveated: ["Look at the small cross in the middle all the time. Press the space bar, or the button, and three images appear for a moment, one after the other: the original, then two more, of which one is the original again.",
        "Say whether the second or the third image differed from the original; if you cannot tell, guess."],
    }[protocol];
    return ask((finish) => {
      show([
        heading(QUESTIONS[protocol]),
        ...what.map((text) => el("p", {}, text)),
        el("table", {}, el("tbody", {},
          ...choices("row").map(([, arrow, name]) => el("tr", {}, el("td", {}, key(arrow)), el("td", {}, name))),
          ...(["triplet", "foveated"].includes(protocol) ? [el("tr", {}, el("td", {}, key("Space")), el("td", {}, protocol === "triplet" ? "hold: the original" : "show the images"))] : []),
          el("tr", {}, el("td", {}, key("Esc")), el("td", {}, "skip, when the images cannot be seen")))),
        el("p", {}, "Or tap the buttons below the images. If an image is larger than the window, drag it, or move it with ",
          key("W"), " ", key("A"), " ", key("S"), " ", key("D"), "."),
        el("p", {}, plan.training === 1 ? "The first question is for practice." :
          plan.training ? `The first ${plan.training} questions are for practice.` : ""),
        el("div", { class: "buttons" }, button("Start", finish, { class: "main" })),
        el("p", { class: "note" }, key("Enter"), " starts."),
      ], { Enter: finish, " ": finish });
    });
  }

  const pause = (title, text, label = "Go on") => ask((finish) => show([
    heading(title), el("p", {}, text), el("div", { class: "buttons" }, button(label, finish, { class: "main" })),
    el("p", { class: "note" }, key("Enter"), " goes on."),
  ], { Enter: finish, " ": finish }));

  // ---- trials ----

  // Trials of the schedule, in order, without those that are answered.
  function* scheduled(session) {
    const own = study.trials[session.slot];
    for (let i = 0; i < own.length; i++) if (!answers.has(session.session, i + 1)) yield [i + 1, ...own[i]];
  }

  class Scheduled {
    constructor(session) { this.all = [...scheduled(session)]; }
    async next() { return this.all.shift() || null; }
    ahead() { return this.all[0] || null; }
  }

  // Trials as the server hands them out, a few at a time.
  class HandedOut {
    constructor(session) { Object.assign(this, { session, queue: [], over: false }); }
    async fetch() {
      const session = this.session.session;
      const reply = await post("next", { session, refused: answers.refused(session) });
      const known = new Set([...this.queue.map((trial) => trial[0]), this.current]);
      this.queue.push(...reply.trials.filter(([number]) => !known.has(number) && !answers.has(session, number)));
      this.over = reply.trials.length === 0;
    }
    async next() {
      this.current = null;
      for (let pause = 300; !this.queue.length && !this.over; pause = Math.min(2 * pause, 10000)) {
        await insist(() => this.fetch(), waitingForServer);
        // What is answered here has not arrived there yet, and is handed out again until it has, or was refused.
        if (!this.queue.length && !this.over) {
          if (pause > 2000) waitingForServer();
          outbox.send();
          await sleep(pause);
        }
      }
      const trial = this.queue.shift() || null;
      this.current = trial && trial[0];
      if (this.queue.length < 2 && !this.over) this.fetch().catch(() => {});
      return trial;
    }
    ahead() { return this.queue[0] || null; }
  }

  function waitingForServer() {
    show([heading("One moment"), el("p", {}, `${served ? "The server" : "An image"} cannot be reached. Your answers are kept in this `
      + "browser; the study goes on by itself as soon as it is back.")]);
  }

  const fileOf = (source, condition) => study.images[source * conditions + condition].file;
  const shownIn = ([, , source, left, pivot, right]) =>
    [left, pivot, right].map((condition) => (condition < 0 ? null : fileOf(source, condition)));

  // Boxes of a trial, each with its images.
  function layersOf([left, pivot, right]) {
    if (protocol === "triplet" || protocol === "flicker") return [[left, pivot], [right, pivot]];
    if (protocol === "foveated") return [[pivot, left, right]];
    if (protocol === "3afc" || pivot) return [[left], [pivot], [right]];
    return [[left], [right]];
  }

  const NAMES = protocol === "3afc" ? ["See left", "See middle", "See right"]
    : protocol === "2afc" && settings.question === "closer" ? ["See left", "See original", "See right"] : ["See left", "See right"];
  let stage = null;

  // Shows a trial; resolves with the response and its time.
  function showTrial(trial, images, done) {
    return ask((finish) => {
      const header = el("header"), footer = el("footer"), node = el("div", { class: "stage" });
      const hint = el("p", { class: "note" }), row = el("div", { class: "answers" }), tabs = el("div", { class: "answers" });
      const bar = el("progress", { max: total, value: done, "aria-label": `${done} of ${total}` });
      header.append(el("p", {}, QUESTIONS[protocol]), hint, bar);
      footer.append(tabs, row);
      let began = null, open = protocol !== "foveated";
      const opened = performance.now(), shown = [];  // how long each image was, in each presentation
      // Time in which nobody can see the page is no time of the answer.
      let away = 0, hidden = null;
      const watch = () => {
        const now = performance.now();
        if (hidden !== null) away += now - Math.max(hidden, began ?? now);
        hidden = document.hidden ? now : null;
      };
      watch();
      document.addEventListener("visibilitychange", watch);
      const seen = () => { watch(); return performance.now() - began - away; };
      const end = (response, time, late = false) => {
        stage.close();
        window.removeEventListener("blur", release);
        document.removeEventListener("visibilitychange", watch);
        node.replaceChildren();  // the screen is empty until the next images are there
        for (const one of footer.querySelectorAll("button")) one.disabled = true;
        finish({ response, time, scale: stage.scale, shown, late });
      };
      const answer = (response) => {
        // What a second click or press meant the last trial for is no answer to this one.
        if (performance.now() - opened < LEAST) return;
        if (response !== "skip" && (!open || began === null || seen() < LEAST || !stage.allSeen())) return;
        end(response, began === null ? 0 : Math.round(seen()));
      };
      const original = (on) => { if (protocol === "triplet" && stage.plan) stage.choose(on ? 1 : 0); };
      const release = () => original(false);
      window.addEventListener("blur", release);

      async function present() {
        if (open || present.running) return;
        present.running = true;
        row.style.visibility = "hidden";
        hint.textContent = HINTS.foveated;
        for (let good = false; !good;) {
          if (shown.length === ATTEMPTS) { end("skip", 0, true); return; }
          const times = await stage.brief([0, 1, 2], settings.duration, settings.blank, 600);
          good = times.every((ms) => Math.abs(ms - settings.duration) < 25) && !document.hidden;
          shown.push(times.map((ms) => Math.round(ms)));
        }
        open = true;
        began = performance.now();
        row.style.visibility = "visible";
        buttons();
        hint.textContent = "";
      }

      // Depends on how the images are laid out, which a turned phone changes.
      function buttons() {
        const mode = stage.plan.mode, handlers = { Escape: () => answer("skip") };
        const list = open ? choices(mode) : [];
        for (const [response, arrow] of list) handlers[KEYS[arrow]] = () => answer(response);
        for (const [name, x, y] of [["w", 0, -40], ["a", -40, 0], ["d", 40, 0], ["s", 0, 40]]) handlers[name] = repeating(() => stage.pan(x, y));
        const extra = [];
        if (protocol === "triplet") {
          handlers[" "] = () => original(true);
          handlers["  up"] = release;
          const hold = button("Original", () => {});
          hold.addEventListener("pointerdown", () => original(true));
          for (const name of ["pointerup", "pointercancel", "pointerleave"]) hold.addEventListener(name, release);
          hold.addEventListener("contextmenu", (event) => event.preventDefault());
          hold.addEventListener("focus", () => hold.blur());  // else the space bar would be this button's own
          tabs.replaceChildren(hold);
        }
        if (protocol === "foveated" && !open) {
          handlers[" "] = handlers.Enter = present;
          extra.push(button("Show the images", present, { class: "main" }));
        }
        if (mode === "single" && stage.layers.length > 1) {
          stage.layers.forEach((_, i) => { handlers[String(i + 1)] = () => stage.select(i); });
          handlers.Tab = () => stage.select((stage.single + 1) % stage.layers.length);
          const select = NAMES.map((name, i) => button(name, () => stage.select(i), { "aria-pressed": String(i === stage.single), class: i === stage.single ? "main" : "" }));
          tabs.replaceChildren(...select, ...(protocol === "triplet" ? [...tabs.children].slice(-1) : []));
          hint.textContent = stage.allSeen() ? (stage.plan.whole ? "" : CUT) : `The window shows one at a time: Tab, or ${NAMES.map((_, i) => i + 1).join(", ")}. Look at all of them.`;
        } else {
          if (protocol !== "triplet") tabs.replaceChildren();
          hint.textContent = stage.plan.whole ? HINTS[protocol] || "" : CUT;
        }
        row.replaceChildren(...extra, ...list.map(([response, arrow, name]) => button(`${arrow} ${name}`, () => answer(response), { "data-response": response })),
          button("Skip", () => answer("skip"), { class: "small", "data-response": "skip" }));
        show([header, node, footer], handlers, true);
      }

      show([header, node, footer], {}, true);
      row.append(button("Skip", () => answer("skip"), { class: "small" }));  // gives the footer its height
      stage = new Stage(node, settings.magnification);
      if (protocol === "foveated") stage.setCross(true);
      // The buttons' rows are drawn before the images are laid out, and have their height whatever is in them.
      const area = () => ({ top: header.getBoundingClientRect().bottom, bottom: footer.getBoundingClientRect().top });
      let nested = false;
      stage.changed = () => {
        if (nested) return;
        nested = true;
        const before = area();
        buttons();
        const after = area();
        if (before.top !== after.top || before.bottom !== after.bottom) stage.layout();
        nested = false;
      };
      stage.setImages(layersOf(images), area);
      if (protocol === "foveated") stage.choose(-1);
      if (protocol === "flicker") stage.flicker(settings.flicker);
      if (open) requestAnimationFrame(() => requestAnimationFrame((now) => { began = now; }));
    });
  }

  function feedback(trial, response) {
    const correct = trial[6], mode = upright() ? "column" : "row";
    const name = (word) => choices(mode).find(([one]) => one === word)?.[2].toLowerCase() || word;
    return pause(response === correct ? "Right" : "Not quite",
      response === correct ? "That was the one." : `It was: ${name(correct)}. This one was easy to see; most will be harder.`);
  }

  function rowOf(session, trial, { response, time, scale }) {
    const [number, kind, source, left, pivot, right, correct] = trial;
    const { density, distance } = session.screen;
    const row = { study: study.study, observer: session.observer, session: session.session, trial: number, protocol, kind, source: study.sources[source] };
    for (const [place, condition] of [["left", left], ["pivot", pivot], ["right", right]]) {
      const [codec, level] = condition < 0 ? ["", ""] : study.conditions[condition];
      Object.assign(row, { [`codec_${place}`]: codec, [`level_${place}`]: level });
    }
    const perDegree = pixelsPerDegree(density, distance, scale);
    return { ...row, response, correct, response_ms: time, pixels_per_degree: Number(perDegree.toFixed(3)), time: new Date().toISOString() };
  }

  function keepScreen(session) {
    answers.saveSession(session);
    if (served) post("screen", { session: session.session, screen: session.screen }).catch(() => {});
  }

  // Where images were not shown as long as they should have been: once more, or not at all, which leaves a trial out.
  async function noteTiming(session, number, { shown, late }) {
    session.presentations = { ...session.presentations, [number]: shown };
    session.screen.repeated = Object.keys(session.presentations).length;
    keepScreen(session);
    if (late) await pause("Left out", "This device was too busy to show the images in time, so that this question does not count.");
  }

  async function trials(session) {
    const source = served ? new HandedOut(session) : new Scheduled(session);
    let last = null, since = 0, lasts = storage.lasts, refused = answers.refused(session.session).length;
    for (let trial; (trial = await source.next()); last = trial) {
      if (answers.refused(session.session).length > refused) {
        refused = Infinity;  // once is enough
        await pause("An answer was not accepted", "The server refused an answer, which is kept in this browser: please go on, "
          + "download your answers at the end, and tell the people who run the study.");
      }
      if (lasts && !storage.lasts) {
        lasts = false;
        await pause("Please keep this page open", "This browser has no room for more answers: until the end they last as long as this page.");
      }
      if (last && last[1] === "training" && trial[1] !== "training") {
        await pause("Now it counts", "That was the practice. From now on nobody tells you whether you are right.");
      }
      if (settings.rest && since >= settings.rest) {
        since = 0;
        await pause("Time for a break", `${answers.rows(session.session).length} of ${total} are done. Look away from the screen for a moment; go on when you like.`);
      }
      const ahead = source.ahead();
      if (ahead) for (const file of shownIn(ahead)) if (file) load(file).catch(() => {});
      const images = await insist(() => Promise.all(shownIn(trial).map((file) => (file ? load(file) : null))), waitingForServer);
      const outcome = await showTrial(trial, images, answers.rows(session.session).length);
      try {
        answers.add(rowOf(session, trial, outcome));
        await storage.flushed();
      } catch (error) {
        await pause("The answer was not stored", `${error.message} Please download what there is, and tell the people who run the study.`);
        return;
      }
      outbox.send();
      if (outcome.shown.length > 1) await noteTiming(session, trial[0], outcome);
      if (trial[1] === "training" && trial[6] && outcome.response !== "skip") await feedback(trial, outcome.response);
      if (trial[1] !== "training") since += 1;
    }
  }

  // ---- the end ----

  function finishPage(session) {
    const rows = answers.rows(session.session);
    const name = `${session.observer}-${session.session.slice(0, 8)}`;
    const save = () => download(toCsv(rows), `answers-${name}.csv`);
    const saveScreen = () => download(JSON.stringify(session, null, 2) + "\n", `screen-${name}.json`, "application/json");
    const status = el("p", { role: "status" });
    const sent = served || settings.collect;
    outbox.listener = () => {
      const left = answers.unsent().length, refused = answers.count("refused");
      status.textContent = !sent ? "Please download your answers, and send the file to whoever invited you."
        : left ? `${left} answers are still on their way. Please keep this page open.`
          : refused ? `${refused} answers were not accepted. Please download them, and send the file to whoever invited you.`
            : "All your answers have arrived. You can close this page.";
    };
    show([
      heading("Thank you!"), el("p", {}, `You have answered ${rows.length} of ${total} questions.`), status,
      el("div", { class: "buttons" }, button("Download answers (CSV)", save, { class: sent ? "" : "main" }),
        button("Screen and session (JSON)", saveScreen), button("Next person", () => { location.reload(); })),
      el("p", { class: "note" }, key("Enter"), " downloads."),
    ], { Enter: save });
    outbox.listener();
    outbox.send();
  }

  async function run() {
    if (settings.design === "active" && !served) {
      show([heading(settings.title), el("p", {}, "In this study a server chooses the images. Please open it at the address of rdr study serve.")]);
      return;
    }
    outbox.send();
    let message = "";
    for (;;) {
      const session = await welcome(message);
      if (!session.screen) {
        const perMm = await askCard("1 of 3"), density = perMm * (window.devicePixelRatio || 1);
        const distance = await askDistance("2 of 3"), gamma = await askGamma("3 of 3");
        session.screen = { density, distance, gamma, width: screen.width, height: screen.height, ratio: window.devicePixelRatio };
        keepScreen(session);
        await instructions();
      }
      try {
        await trials(session);
      } catch (error) {
        if (!error.status) throw error;
        if (error.status !== 404) {
          await pause("The study cannot go on", `${error.message} Your answers are in this browser: please download them, and tell the people who run the study.`);
          finishPage(session);
          return;
        }
        message = "The server does not know this session any more. What was answered is in this browser; please begin again.";
        session.finished = true;
        answers.saveSession(session);
        continue;
      }
      session.finished = true;
      answers.saveSession(session);
      finishPage(session);
      return;
    }
  }

  run();
})();
