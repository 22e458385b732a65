// Synthetic files against llama.cpp: it loads what `planner synth` writes, splits a text into the same tokens and finds the same most likely
// token at 64 forced positions, wherever its own lead of the first over the second is more than four times the usual difference.
//
//   PLANNER_NODE_LLAMA_CPP=DIR node compare.mjs PLANNER [MODEL QUANT...]
//
// DIR: a folder with node_modules/node-llama-cpp (npm install node-llama-cpp; it brings llama.cpp built for the CPU). Without it: status 77,
// which ctest counts as skipped. Files go to $TMPDIR and are removed.
import {execFileSync} from "node:child_process";
import {createRequire} from "node:module";
import {mkdtempSync, readFileSync, rmSync, statSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [planner, model = "deepseek-r1-distill-qwen-1.5b", ...quants] = process.argv.slice(2);
const folder = process.env.PLANNER_NODE_LLAMA_CPP;
if (!folder) {
  console.log("skipped: PLANNER_NODE_LLAMA_CPP names no folder with node-llama-cpp");
  process.exit(77);
}

let api;
try {
  api = await import(pathToFileURL(createRequire(join(folder, "package.json")).resolve("node-llama-cpp")));
} catch (error) {
  console.log(`skipped: no node-llama-cpp in ${folder}: ${error.message}`);
  process.exit(77);
}

const kText = "Hello wörld, how are you? Ünïcödé: 你好，世界; Привет мир; שלום; 🦙🚀 12345 x²  two spaces\n\ttab, newline.\r\nfn main() { return 0.5e-3; }";
const kPositions = 64;
const run = (args, options = {}) => execFileSync(planner, args, {maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "inherit"], ...options});

let failures = 0;
const check = (ok, what) => {
  if (!ok) ++failures;
  console.log(`  ${ok ? "ok" : "FAILED"}: ${what}`);
};

/// Tokens at random, the same always.
const forced = (vocabulary, n) => {
  let state = 12345;
  return Array.from({length: n}, () => (state = (state * 1103515245 + 12345) % 2147483648) % vocabulary);
};

const llama = await api.getLlama({gpu: false, build: "never", logLevel: api.LlamaLogLevel.error});
for (const quant of quants.length ? quants : ["Q4_K_M", "Q8_0", "IQ2_XXS", "F16"]) {
  const scratch = mkdtempSync(join(tmpdir(), "planner-llama-"));
  try {
    const file = join(scratch, "model.gguf");
    console.log(`${model} ${quant}`);
    run(["synth", "--model", model, "--quant", quant, "-o", file]);
    const predicted = JSON.parse(run(["estimate", "--model", model, "--quant", quant, "--json"])).quantization.file_size_bytes;
    const size = statSync(file).size;
    check(Math.abs(size / predicted - 1) < 0.005, `${size} bytes, predicted ${predicted}`);

    const loaded = await llama.loadModel({modelPath: file, gpuLayers: 0});
    const ids = run(["tokenize", "-m", file], {input: kText}).toString().trim().split(/[\s,]+/).map(Number);
    const engine_ids = Array.from(loaded.tokenize(kText));
    check(JSON.stringify(ids) === JSON.stringify(engine_ids), `${engine_ids.length} token ids of a text`);
    check(loaded.detokenize(engine_ids) === kText, "ids back to the text");

    const tokens = forced(20000, kPositions + 1);
    const context = await loaded.createContext({contextSize: 256, batchSize: 256, flashAttention: false});
    const wanted = tokens.map((token, i) => (i === 0 ? token : [token, {generateNext: {token: true, probabilities: true, options: {temperature: 1}}}]));
    const results = await context.getSequence().controlledEvaluate(wanted);
    const out = join(scratch, "logits");
    run(["run", "-m", file, "--tokens", tokens.join(","), "--logits", out, "--last", String(kPositions), "-c", "256"]);
    const bytes = readFileSync(out);
    const logits = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const vocabulary = logits.length / kPositions;

    // Logarithms of probabilities are logits less a number: compared with both means taken off.
    const rows = [];
    for (let i = 1; i <= kPositions; ++i) {
      const mine = logits.subarray((i - 1) * vocabulary, i * vocabulary);
      const theirs = Array.from(results[i].next.probabilities.entries(), ([token, p]) => [token, Math.log(p)]).filter(([, p]) => Number.isFinite(p));
      theirs.sort((a, b) => b[1] - a[1]);
      const first = theirs.slice(0, 4096);
      const difference = first.map(([token, p]) => mine[token] - p);
      const mean = difference.reduce((a, b) => a + b, 0) / difference.length;
      const square = difference.reduce((a, b) => a + (b - mean) ** 2, 0) / difference.length;
      let best = 0;
      for (let t = 1; t < vocabulary; ++t) if (mine[t] > mine[best]) best = t;
      rows.push({same: best === theirs[0][0], lead: theirs[0][1] - theirs[1][1], difference: Math.sqrt(square)});
    }
    const usual = rows.map((r) => r.difference).sort((a, b) => a - b)[kPositions / 2];
    const clear = rows.filter((r) => r.lead > 4 * usual);
    check(clear.length > 0 && clear.every((r) => r.same),
          `most likely token at ${clear.filter((r) => r.same).length} of ${clear.length} positions with a clear lead (of all ${kPositions}: ${rows.filter((r) => r.same).length}); usual difference of a logit ${usual.toFixed(4)}`);
    await context.dispose();
    await loaded.dispose();
  } finally {
    rmSync(scratch, {recursive: true, force: true});
  }
}
process.exit(failures ? 1 : 0);
