// What tests/e2e/test_languages.py asks of a module, in Rust with its standard library: strings,
// maps, trait objects, and a panic.
use std::collections::HashMap;

struct Generator(u32);

impl Generator {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1664525).wrapping_add(1013904223);
        self.0 >> 16
    }

    fn word(&mut self) -> String {
        let size = 1 + self.next() % 7;
        (0..size).map(|_| char::from(b'a' + (self.next() % 4) as u8)).collect()
    }
}

trait Shape {
    fn area(&self) -> f64;
}

struct Circle(f64);
struct Rectangle(f64, f64);
struct Triangle(f64, f64, f64);

impl Shape for Circle {
    fn area(&self) -> f64 {
        3.25 * self.0 * self.0
    }
}

impl Shape for Rectangle {
    fn area(&self) -> f64 {
        self.0 * self.1
    }
}

impl Shape for Triangle {
    fn area(&self) -> f64 {
        let half = (self.0 + self.1 + self.2) / 2.0;
        (half * (half - self.0) * (half - self.1) * (half - self.2)).sqrt()
    }
}

#[no_mangle]
pub extern "C" fn mix(a: i32, b: i64, c: f32, d: f64) -> f64 {
    f64::from(a) + b as f64 * 2.0 + f64::from(c) * 3.0 + d * 4.0
}

#[no_mangle]
pub extern "C" fn ackermann(m: i32, n: i32) -> i32 {
    match (m, n) {
        (0, n) => n + 1,
        (m, 0) => ackermann(m - 1, 1),
        (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
    }
}

// 128 bits here: the compiler calls its own library for the product and the remainder.
fn times(a: u64, b: u64, modulus: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(modulus)) as u64
}

#[no_mangle]
pub extern "C" fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut base, mut result) = (base % modulus, 1);
    while exponent != 0 {
        if exponent & 1 == 1 {
            result = times(result, base, modulus);
        }
        base = times(base, base, modulus);
        exponent >>= 1;
    }
    result
}

#[no_mangle]
pub extern "C" fn divide(a: i64, b: i64) -> i64 {
    a / b * 1000 + a % b
}

#[no_mangle]
pub extern "C" fn sort_words(seed: u32, count: u32) -> u64 {
    let mut generator = Generator(seed);
    let mut words: Vec<String> = (0..count).map(|_| generator.word()).collect();
    words.sort();
    format!("{} ", words.join(" "))
        .bytes()
        .fold(0xcbf29ce484222325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3)
        })
}

#[no_mangle]
pub extern "C" fn count_words(seed: u32, count: u32) -> i32 {
    let mut generator = Generator(seed);
    let mut counts = HashMap::new();
    for _ in 0..count {
        *counts.entry(generator.word()).or_insert(0) += 1;
    }
    counts.values().map(|times| times * times).sum()
}

#[no_mangle]
pub extern "C" fn areas(count: i32) -> f64 {
    let shapes: Vec<Box<dyn Shape>> = (0..count)
        .map(|i| -> Box<dyn Shape> {
            let x = f64::from(i);
            match i % 3 {
                0 => Box::new(Circle(x + 1.0)),
                1 => Box::new(Rectangle(x + 1.0, x + 1.5)),
                _ => Box::new(Triangle(x + 1.0, x + 1.5, x + 1.75)),
            }
        })
        .collect();
    shapes.iter().fold(0.0, |sum, shape| sum + shape.area())
}

#[no_mangle]
pub extern "C" fn smooth(seed: u32, count: i32) -> f32 {
    let mut generator = Generator(seed);
    (0..count).fold(0.0, |y, _| y * 0.7 + generator.next() as f32 / 3.0)
}

#[no_mangle]
pub extern "C" fn square_of(index: i32) -> i32 {
    let squares: Vec<i32> = (0..10).map(|i| i * i).collect();
    squares[index as usize]
}
