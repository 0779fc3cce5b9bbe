// Answers: kept in the browser's storage one by one, written as CSV, posted until somebody has received them.
"use strict";
(function (root) {
  const COLUMNS = ["study", "observer", "session", "trial", "protocol", "kind", "source", "codec_left", "level_left",
    "codec_pivot", "level_pivot", "codec_right", "level_right", "response", "correct", "response_ms",
    "pixels_per_degree", "time"];
  const OBSERVER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/;  // which no spreadsheet takes for a formula, and no page for markup

  function cell(value) {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  function toCsv(rows) {
    return [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => row[name]))]
      .map((values) => values.map(cell).join(",") + "\n").join("");
  }

  // Where the browser allows no storage, answers last as long as the page.
  class Memory {
    constructor() { this.map = new Map(); }
    get length() { return this.map.size; }
    key(i) { return [...this.map.keys()][i]; }
    getItem(key) { return this.map.has(key) ? this.map.get(key) : null; }
    setItem(key, value) { this.map.set(key, String(value)); }
    removeItem(key) { this.map.delete(key); }
  }

  const request = (call) => new Promise((resolve, reject) => {
    call.onsuccess = () => resolve(call.result);
    call.onerror = () => reject(call.error);
    call.onblocked = () => reject(new Error("blocked"));
  });

  // A storage with a copy in IndexedDB. A browser writes local storage to the disk seconds later, and loses these when it
  // is killed as a whole, or the power fails; IndexedDB says when something is on the disk. What a full storage has no
  // room for is in the copy, and in memory.
  class Mirrored {
    constructor(storage) {
      Object.assign(this, { storage, database: null, overflow: new Memory() });
      this.pending = Promise.resolve();
    }

    // Takes over what the copy has and the storage lacks.
    static async open(storage, prefix, factory = root.indexedDB) {
      const mirrored = new Mirrored(storage);
      try {
        const opening = factory.open("rdr-study", 1);
        opening.onupgradeneeded = () => opening.result.createObjectStore("entries");
        const database = await request(opening);
        const store = database.transaction("entries").objectStore("entries"), range = IDBKeyRange.bound(prefix, prefix + "\uffff");
        const [keys, values] = await Promise.all([request(store.getAllKeys(range)), request(store.getAll(range))]);
        keys.forEach((key, i) => { if (storage.getItem(key) === null) mirrored.put(key, values[i]); });
        mirrored.database = database;
      } catch { /* there is no copy */ }
      return mirrored;
    }

    put(key, value) {
      try {
        this.storage.setItem(key, value);
        this.overflow.removeItem(key);
      } catch {
        if (this.database) this.storage.removeItem(key);  // the copy has what is newer
        this.overflow.setItem(key, value);
      }
    }

    // Whether all that was written outlasts the page.
    get lasts() { return this.database !== null || (this.overflow.length === 0 && !(this.storage instanceof Memory)); }

    write(change) {
      if (!this.database) return;
      const done = new Promise((resolve) => {
        const transaction = this.database.transaction("entries", "readwrite", { durability: "strict" });
        transaction.oncomplete = resolve;
        transaction.onabort = () => { this.database = null; resolve(); };  // the disk is full, say
        change(transaction.objectStore("entries"));
      }).catch(() => {});
      this.pending = Promise.all([this.pending, done]);
    }

    // Resolves when all of it is on the disk, or nothing can be done about it.
    flushed() { return Promise.race([this.pending, new Promise((resolve) => setTimeout(resolve, 2000))]); }

    get length() { return this.storage.length + this.overflow.length; }
    key(i) { return i < this.storage.length ? this.storage.key(i) : this.overflow.key(i - this.storage.length); }
    getItem(key) { return this.overflow.getItem(key) ?? this.storage.getItem(key); }
    setItem(key, value) {
      this.put(key, value);
      this.write((store) => store.put(String(value), key));
    }
    removeItem(key) {
      this.storage.removeItem(key);
      this.overflow.removeItem(key);
      this.write((store) => store.delete(key));
    }
  }

  // Each answer is an entry of its own, written before the next trial begins.
  class Answers {
    constructor(storage, study) {
      this.storage = storage;
      this.prefix = `rdr-study/${study}/`;
    }

    keys(start) {
      const all = [];
      for (let i = 0; i < this.storage.length; i++) {
        const key = this.storage.key(i);
        if (key.startsWith(this.prefix + start)) all.push(key);
      }
      return [...new Set(all)].sort();
    }

    read(key) {
      try { return JSON.parse(this.storage.getItem(key)); } catch { return null; }
    }

    saveSession(info) {
      this.storage.setItem(`${this.prefix}session/${info.session}`, JSON.stringify(info));
    }

    sessions() {
      return this.keys("session/").map((key) => this.read(key)).filter(Boolean);
    }

    add(row) {
      const key = `${this.prefix}answer/${row.session}/${String(row.trial).padStart(6, "0")}`;
      const text = JSON.stringify(row);
      if (this.storage.getItem(key) !== null) return;  // the first answer counts
      this.storage.setItem(key, text);
      if (this.storage.getItem(key) !== text) throw new Error("The browser did not keep the answer.");
    }

    has(session, trial) {
      return this.storage.getItem(`${this.prefix}answer/${session}/${String(trial).padStart(6, "0")}`) !== null;
    }

    rows(session = "") {
      return this.keys(`answer/${session}`).map((key) => this.read(key)).filter(Boolean);
    }

    // What has not arrived anywhere yet: neither taken nor refused.
    unsent() {
      return this.keys("answer/").filter((key) => this.storage.getItem(this.fate(key)) === null)
        .map((key) => ({ key, row: this.read(key) })).filter((item) => item.row);
    }

    fate(key) { return key.replace("/answer/", "/fate/"); }

    settle(items, fate) {
      for (const item of items) this.storage.setItem(this.fate(item.key), fate);
    }

    count(fate) {
      return this.keys("fate/").filter((key) => this.storage.getItem(key) === fate).length;
    }

    // Numbers of the trials whose answers a server will never take.
    refused(session) {
      return this.keys(`fate/${session}/`).filter((key) => this.storage.getItem(key) === "refused")
        .map((key) => Number(key.split("/").pop()));
    }

    remove() {
      for (const key of this.keys("")) this.storage.removeItem(key);
    }
  }

  // Posts what has not arrived, a few at a time, again and again, further and further apart.
  class Outbox {
    constructor(answers, url, { post = (...words) => fetch(...words), wait = (...words) => setTimeout(...words), slot = () => null } = {}) {
      Object.assign(this, { answers, url, post, wait, slot });
      this.busy = this.waiting = false;
      this.failures = 0;
      this.listener = () => {};
    }

    async send() {
      if (this.busy || !this.url) return;
      this.busy = true;
      let again = false;
      try {
        for (let items; (items = this.answers.unsent().slice(0, 50)).length;) {
          const fate = await this.deliver(items);
          if (fate === null) { again = true; break; }
          this.failures = 0;
          // Of several that are refused together only some may be wrong: each gets its own chance.
          if (fate === "refused" && items.length > 1) {
            for (const item of items) {
              const one = await this.deliver([item]);
              if (one === null) { again = true; break; }
              this.answers.settle([item], one);
            }
            if (again) break;
          } else {
            this.answers.settle(items, fate);
          }
          this.listener();
        }
      } finally {
        this.busy = false;
        this.listener();
      }
      if (again && !this.waiting) {
        this.failures += 1;
        this.waiting = true;
        this.wait(() => {
          this.waiting = false;
          return this.send();
        }, Math.min(30000, 500 * 2 ** Math.min(this.failures, 7)));
      }
    }

    // "sent", "refused", or null where it is worth trying again.
    async deliver(items) {
      const body = JSON.stringify({ answers: items.map(({ row }) => ({ ...row, slot: this.slot(row.session) })) });
      let response;
      try {
        response = await this.post(this.url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      } catch {
        return null;
      }
      if (response.ok) return "sent";
      return response.status >= 400 && response.status < 500 && ![401, 403, 404, 408, 425, 429].includes(response.status)
        ? "refused" : null;
    }
  }

  const parts = { COLUMNS, OBSERVER, toCsv, Memory, Mirrored, Answers, Outbox };
  if (typeof module !== "undefined") module.exports = parts;
  else root.StudyAnswers = parts;
})(typeof window === "undefined" ? globalThis : window);
