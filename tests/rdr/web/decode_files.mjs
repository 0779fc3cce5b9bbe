// Decodes the files whose paths stand on standard input, one a line, and prints a line of JSON for each.
// Usage: node decode_files.mjs DECODER.js [MAX_PIXELS] < PATHS
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";

const { decode } = await import(pathToFileURL(process.argv[2]));
const options = process.argv[3] ? { max_pixels: Number(process.argv[3]) } : {};
let resident = 0;
for await (const path of createInterface({ input: process.stdin })) {
  const bytes = new Uint8Array(readFileSync(path)), started = performance.now(), fractions = [];
  let result;
  try {
    const { pixels, profile, ...sizes } = decode(bytes, { ...options, progress: (fraction) => fractions.push(fraction) });
    result = { ...sizes, length: pixels.length, sha256: createHash("sha256").update(pixels).digest("hex"),
      profile: profile && inflateSync(profile).toString("base64") };
  } catch (error) {
    result = { error: error.message, kind: error.constructor.name };
  }
  const ascends = fractions.every((fraction, i) => fraction >= (fractions[i - 1] ?? 0)) && (fractions.at(-1) ?? 1) === 1;
  // Not the largest that the system reports, which begins with that of the process that started this one.
  resident = Math.max(resident, process.memoryUsage.rss());
  console.log(JSON.stringify({ ...result, ascends, seconds: (performance.now() - started) / 1000, resident }));
}
