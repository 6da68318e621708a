//! What Rust's standard library does on WASI: files, environment, clocks, collections, and sockets from
//! descriptors that the configuration opened.
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::wasi::io::FromRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

/// Where FD_NAMES has the descriptor of that name.
fn descriptor(name: &str) -> i32 {
    let names = env::var("FD_NAMES").expect("no FD_NAMES");
    let count: usize = env::var("FD_COUNT").expect("no FD_COUNT").parse().expect("a number");
    assert_eq!(names.split(':').count(), count);
    names.split(':').position(|n| n == name).expect("no such name") as i32
}

fn files() -> io::Result<()> {
    fs::create_dir_all("/tmp/a/b/c")?;
    fs::write("/tmp/a/b/one", "first\nsecond\n")?;
    fs::OpenOptions::new().append(true).open("/tmp/a/b/one")?.write_all(b"third")?;
    assert_eq!(fs::read_to_string("/tmp/a/b/one")?, "first\nsecond\nthird");
    assert_eq!(fs::copy("/tmp/a/b/one", "/tmp/a/two")?, 18);
    fs::hard_link("/tmp/a/two", "/tmp/a/three")?;
    fs::rename("/tmp/a/two", "/tmp/a/b/c/two")?;

    let mut f = fs::OpenOptions::new().read(true).write(true).open("/tmp/a/b/c/two")?;
    f.seek(SeekFrom::End(-5))?;
    f.write_all(b"THIRD")?;
    f.set_len(1000)?;
    let mut text = Vec::new();
    f.rewind()?;
    f.read_to_end(&mut text)?;
    assert_eq!((text.len(), &text[13..18], text[18]), (1000, &b"THIRD"[..], 0));
    assert_eq!(fs::metadata("/tmp/a/three")?.len(), 1000);
    assert!(fs::metadata("/tmp/a")?.is_dir());
    let age = SystemTime::now().duration_since(fs::metadata("/tmp/a/three")?.modified()?);
    assert!(age.expect("made in the future") < Duration::from_secs(60));

    let mut names: Vec<String> = fs::read_dir("/tmp/a/b")?
        .map(|e| e.map(|e| e.file_name().into_string().unwrap()))
        .collect::<io::Result<_>>()?;
    names.sort();
    assert_eq!(names, ["c", "one"]);
    assert_eq!(fs::read("/none").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::remove_dir("/tmp/a").unwrap_err().raw_os_error(), Some(55)); // ENOTEMPTY
    fs::remove_dir_all("/tmp/a")?;
    assert_eq!(fs::read_dir("/tmp")?.count(), 0);
    println!("files {}", fs::metadata("/main.wasm")?.len());
    Ok(())
}

fn environment() {
    for (at, arg) in env::args().enumerate().skip(2) {
        println!("argument {} {}", at, arg);
    }
    for (name, value) in env::vars().collect::<BTreeMap<_, _>>() {
        println!("{}={}", name, value);
    }
}

fn clocks() {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(30));
    println!(
        "{} {}",
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
        start.elapsed().as_micros()
    );
}

/// The longest lines of each first letter, by a HashMap, whose hashes have random keys.
fn lines() -> io::Result<()> {
    let mut longest: HashMap<char, String> = HashMap::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if let Some(first) = line.chars().next() {
            let best = longest.entry(first).or_default();
            if line.chars().count() > best.chars().count() {
                *best = line;
            }
        }
    }
    let mut sorted: Vec<_> = longest.into_iter().collect();
    sorted.sort();
    for (first, line) in sorted {
        println!("{} {}", first, line);
    }
    Ok(())
}

/// Answers each line with the line reversed, as many connections as were asked for.
fn serve(count: usize) -> io::Result<()> {
    let listener = unsafe { TcpListener::from_raw_fd(descriptor("door")) };
    println!("listening");
    for _ in 0..count {
        let (stream, _) = loop {
            match listener.accept() {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1))
                }
                other => break other?,
            }
        };
        stream.set_nonblocking(false)?;
        let mut out = &stream;
        for line in BufReader::new(&stream).lines() {
            let answer: String = line?.chars().rev().collect();
            out.write_all(answer.as_bytes())?;
            out.write_all(b"\n")?;
        }
        out.write_all(b"bye\n")?;
    }
    Ok(())
}

/// Sends standard input and a zero byte to the connection of the configuration, then shows what came
/// back. Half a connection cannot be closed here: TcpStream::shutdown is unsupported in std 1.63.
fn talk() -> io::Result<()> {
    let mut stream = unsafe { TcpStream::from_raw_fd(descriptor("other side")) };
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    stream.write_all(text.as_bytes())?;
    stream.write_all(b"\0")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    print!("{}", answer);
    Ok(())
}

/// The same by the path of the connection, which is a file.
fn ask(whom: &str) -> io::Result<()> {
    let path = format!("/net/con/{}", whom);
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    file.write_all(b"a question\0")?;
    let mut answer = String::new();
    file.read_to_string(&mut answer)?;
    println!("{}", answer);
    Ok(())
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("files") => files()?,
        Some("environment") => environment(),
        Some("clocks") => clocks(),
        Some("lines") => lines()?,
        Some("serve") => serve(args[2].parse().expect("a number"))?,
        Some("talk") => talk()?,
        Some("ask") => ask(&args[2])?,
        Some("panic") => panic!("as was asked"),
        _ => process::exit(2),
    }
    Ok(())
}
