// AssemblyScript with its WASI library: the console, arguments, environment, time and randomness.

function show(name: string, value: string): void {
  console.log(name + " " + value);
}

const args = process.argv;
show("arguments", args.slice(1).join("|"));

const env = process.env;
show("ROOM", env.has("ROOM") ? env.get("ROOM") : "not set");
show("variables", env.size.toString());

const now = Date.now();
show("date", new Date(now).toISOString());
show("milliseconds", now.toString());

const start = performance.now();
let sum: u64 = 0;
for (let i: u64 = 0; i < 1000000; i++) sum += i * i;
show("sum", sum.toString());
show("took time", (performance.now() > start).toString());

const a = new Uint8Array(32), b = new Uint8Array(32);
crypto.getRandomValues(a);
crypto.getRandomValues(b);
let same = 0;
for (let i = 0; i < 32; i++) if (a[i] == b[i]) same++;
show("random", (same < 8).toString());
show("Math.random", (Math.random() != Math.random()).toString());

const words = new Map<string, i32>();
const text = args.slice(1);
for (let i = 0; i < text.length; i++) {
  const word = text[i];
  words.set(word, (words.has(word) ? words.get(word) : 0) + 1);
}
const keys = words.keys();
keys.sort((x: string, y: string): i32 => (x < y ? -1 : x > y ? 1 : 0));
for (let i = 0; i < keys.length; i++) show("word " + keys[i], words.get(keys[i]).toString());

process.stderr.write("this is standard error\n"); // console.error writes to standard output
if (args.length > 1 && args[1] == "fail") process.exit(7);
assert(args.length < 8, "too many");
