// What tests/e2e/test_languages.py asks of a module, in AssemblyScript: its garbage collector,
// UTF-16 strings, arrays, maps and classes.

class Generator {
  constructor(private state: u32) {}

  next(): u32 {
    this.state = this.state * 1664525 + 1013904223;
    return this.state >> 16;
  }

  word(): string {
    let made = "";
    for (let left = 1 + this.next() % 7; left != 0; left--) {
      made += String.fromCharCode(97 + this.next() % 4);
    }
    return made;
  }
}

abstract class Shape {
  abstract area(): f64;
}

class Circle extends Shape {
  constructor(private radius: f64) {
    super();
  }

  area(): f64 {
    return 3.25 * this.radius * this.radius;
  }
}

class Rectangle extends Shape {
  constructor(protected a: f64, protected b: f64) {
    super();
  }

  area(): f64 {
    return this.a * this.b;
  }
}

class Triangle extends Rectangle {
  constructor(a: f64, b: f64, private c: f64) {
    super(a, b);
  }

  area(): f64 {
    const half = (this.a + this.b + this.c) / 2;
    return Math.sqrt(half * (half - this.a) * (half - this.b) * (half - this.c));
  }
}

export function mix(a: i32, b: i64, c: f32, d: f64): f64 {
  return <f64>a + <f64>b * 2 + <f64>c * 3 + d * 4;
}

export function ackermann(m: i32, n: i32): i32 {
  if (m == 0) return n + 1;
  return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

function times(a: u64, b: u64, modulus: u64): u64 {
  let sum: u64 = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1) sum = (sum + a) % modulus;
    a = a * 2 % modulus;
  }
  return sum;
}

export function power(base: u64, exponent: u64, modulus: u64): u64 {
  let result: u64 = 1;
  for (base %= modulus; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = times(result, base, modulus);
    base = times(base, base, modulus);
  }
  return result;
}

export function divide(a: i64, b: i64): i64 {
  return a / b * 1000 + a % b;
}

export function sort_words(seed: u32, count: i32): u64 {
  const generator = new Generator(seed);
  const words = new Array<string>(count);
  for (let i = 0; i < count; i++) words[i] = generator.word();
  words.sort();
  const text = words.join(" ") + " ";
  let hash: u64 = 0xcbf29ce484222325;
  for (let i = 0; i < text.length; i++) hash = (hash ^ text.charCodeAt(i)) * 0x100000001b3;
  return hash;
}

export function count_words(seed: u32, count: i32): i32 {
  const generator = new Generator(seed);
  const counts = new Map<string, i32>();
  for (let i = 0; i < count; i++) {
    const word = generator.word();
    counts.set(word, counts.has(word) ? counts.get(word) + 1 : 1);
  }
  return counts.values().reduce((sum, times) => sum + times * times, 0);
}

export function areas(count: i32): f64 {
  const shapes = new Array<Shape>();
  for (let i = 0; i < count; i++) {
    const x = <f64>i;
    if (i % 3 == 0) shapes.push(new Circle(x + 1));
    else if (i % 3 == 1) shapes.push(new Rectangle(x + 1, x + 1.5));
    else shapes.push(new Triangle(x + 1, x + 1.5, x + 1.75));
  }
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) sum += shapes[i].area();
  return sum;
}

export function smooth(seed: u32, count: i32): f32 {
  const generator = new Generator(seed);
  let y: f32 = 0;
  for (let i = 0; i < count; i++) y = y * 0.7 + <f32>generator.next() / 3.0;
  return y;
}

export function square_of(index: i32): i32 {
  const squares = new Array<i32>();
  for (let i = 0; i < 10; i++) squares.push(i * i);
  return squares[index];
}
