// Forecasts tasks with augurs' MSTL + ETS: reads lines of JSON
// {"id", "start", "step", "horizon", "y"} from stdin, writes series,timestamp,value,lower,upper.
// The directory with node_modules is the first argument, the level the second.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [root, level] = [process.argv[2], Number(process.argv[3])];
const dir = path.join(root, "node_modules/@bsull/augurs");
const { default: init, MSTL } = await import(pathToFileURL(path.join(dir, "mstl.js")));
await init({ module_or_path: fs.readFileSync(path.join(dir, "mstl_bg.wasm")) });

const out = ["series,timestamp,value,lower,upper"];
let micros = 0;
for (const line of fs.readFileSync(0, "utf8").split("\n")) {
  if (!line) continue;
  const t = JSON.parse(line);
  const periods = [24, 168].filter((p) => t.y.length > 2 * p);
  const before = process.cpuUsage();
  let point, lower = [], upper = [];
  try {
    const model = MSTL.ets(periods);
    model.fit(Float64Array.from(t.y));
    const f = model.predict(t.horizon, level);
    point = Array.from(f.point);
    if (f.intervals) [lower, upper] = [Array.from(f.intervals.lower), Array.from(f.intervals.upper)];
    model.free();
  } catch (e) {
    console.error(`${t.id}: ${e}`); // the last day again, without an interval
    point = Array.from({ length: t.horizon }, (_, i) => t.y[t.y.length - 24 + (i % 24)]);
  }
  const used = process.cpuUsage(before);
  micros += used.user + used.system;
  point.forEach((p, i) => out.push(`${t.id},${t.start + (t.y.length + i) * t.step},${p},${lower[i] ?? ""},${upper[i] ?? ""}`));
}
console.error(`cpu ${micros / 1e6}`);
fs.writeSync(1, out.join("\n") + "\n");
