//! A chat client for keeps: connects to the chat server, looks at who it really is, and only then talks,
//! both ways at once. main.c is the same in C.
//!
//!     chat-client [--allow-anonymous] [--tries N] [ADDRESS]
//!
//! Without ADDRESS, "HOST:PORT", the first line of standard input is it. --allow-anonymous talks to a
//! server that proves nothing, as over plain TCP.
//!
//! Which keeps may be the server, Keep.toml says, and the keep has checked it before a connection is there;
//! what is done here is to show it to a person. TLS needs no line of this program.
#[path = "../lib/broch_peer.rs"]
mod broch_peer;
#[path = "../lib/broch_poll.rs"]
mod broch_poll;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::wasi::io::{AsRawFd, FromRawFd};
use std::process::exit;
use std::time::{Duration, Instant};
use std::{env, thread};

use broch_peer::{Kind, Peer};
use broch_poll::{poll, Entry};

/// Of connecting, a second apart.
const TRIES: u32 = 30;
const TRIES_MAX: u32 = 100_000;
/// How long the server may take to end when we have.
const DRAIN: Duration = Duration::from_secs(10);
const BUFFER_SIZE: usize = 16384;
const USAGE: &str = "usage: chat-client [--allow-anonymous] [--tries N] [ADDRESS]";

fn fail(why: impl std::fmt::Display) -> ! {
    eprintln!("{}", why);
    exit(1)
}

/// Whether the call need only be made again.
fn is_waiting(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Standard input, read without a buffer of the library's, so that what poll says of it is true.
fn standard_input() -> ManuallyDrop<File> {
    ManuallyDrop::new(unsafe { File::from_raw_fd(0) })
}

/// The first line of standard input; what else was read goes to `rest`.
fn ask_address(input: &mut File, rest: &mut Vec<u8>) -> String {
    let mut buffer = [0; 4096];
    eprint!("Server address: ");
    while !rest.contains(&b'\n') && rest.len() < BUFFER_SIZE {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => rest.extend_from_slice(&buffer[..size]),
            Err(e) if is_waiting(&e) => (),
            Err(e) => fail(e),
        }
    }
    let size = rest.iter().position(|c| *c == b'\n').map_or(rest.len(), |at| at + 1);
    let line: Vec<u8> = rest.drain(..size).collect();
    match std::str::from_utf8(&line).map(str::trim) {
        Ok("") => fail("no server address was given"),
        Ok(address) => address.to_string(),
        Err(_) => fail("this is no server address"),
    }
}

/// Errors that will be the same in a second.
fn is_for_good(e: &io::Error) -> bool {
    const EPROTONOSUPPORT: i32 = 66;
    matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput)
        || e.raw_os_error() == Some(EPROTONOSUPPORT)
}

fn connect_patiently(address: &str, tries: u32) -> TcpStream {
    for left in (0..tries).rev() {
        match broch_peer::connect(address) {
            Ok(stream) => return stream,
            Err(e) => {
                eprintln!("Failed to connect to `{}`: {}", address, e);
                if left == 0 || is_for_good(&e) {
                    break;
                }
            }
        }
        eprintln!("Retrying in 1s");
        thread::sleep(Duration::from_secs(1));
    }
    exit(1)
}

/// Shows who the server is, or ends.
fn check_server(address: &str, stream: &TcpStream, allows_anonymous: bool) {
    let peer = Peer::of(stream).unwrap_or_else(|e| fail(format!("{}, abort connection", e)));
    let what = match peer.kind {
        Kind::Anonymous if allows_anonymous => {
            println!("Connected to `{}`, which proves nothing", address);
            return;
        }
        Kind::Anonymous => fail("server did not present a valid certificate, abort connection"),
        Kind::Local => "local workload".to_string(),
        Kind::Keep => format!("`{}`", peer.workload),
    };
    let simulated = if peer.simulated { ", SIMULATED: protects nothing" } else { "" };
    println!(
        "Connected to `{}` running {} with digest `{}` ({}{})",
        address, what, peer.digest, peer.technology, simulated
    );
}

struct Talk {
    stream: TcpStream,
    input: ManuallyDrop<File>,
    /// What was read of it and not yet sent.
    to_server: Vec<u8>,
    input_has_ended: bool,
    /// When the server was told so.
    said_so: Option<Instant>,
}

impl Talk {
    /// Passes what the server sends on to standard output. False when there will be no more.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; BUFFER_SIZE];
        let size = match self.stream.read(&mut buffer) {
            Ok(size) => size,
            Err(e) if is_waiting(&e) => return true,
            Err(e) => fail(format!("* failed to receive: {}", e)),
        };
        let mut out = io::stdout();
        if let Err(e) = out.write_all(&buffer[..size]).and_then(|()| out.flush()) {
            fail(format!("* standard output: {}", e));
        }
        size > 0
    }

    fn read_input(&mut self) {
        let mut buffer = [0; BUFFER_SIZE];
        match self.input.read(&mut buffer) {
            Ok(size) if size > 0 => self.to_server.extend_from_slice(&buffer[..size]),
            Err(e) if is_waiting(&e) => (),
            _ => self.input_has_ended = true, // a broken one, too
        }
    }

    fn send_some(&mut self) {
        if self.to_server.is_empty() {
            return;
        }
        match self.stream.write(&self.to_server) {
            Ok(size) => drop(self.to_server.drain(..size)),
            Err(e) if is_waiting(&e) => (),
            Err(e) => {
                // the server may have said why, which is still to be read
                eprintln!("* failed to send: {}", e);
                self.input_has_ended = true;
                self.to_server.clear();
            }
        }
    }

    /// When there is nothing more to say, says that.
    fn end_sending(&mut self) {
        if !self.input_has_ended || !self.to_server.is_empty() || self.said_so.is_some() {
            return;
        }
        match broch_peer::end_sending(&self.stream) {
            Err(e) if is_waiting(&e) => (),
            _ => self.said_so = Some(Instant::now()), // or it is broken, which the next read tells
        }
    }

    fn run(&mut self) {
        loop {
            let is_sending = !self.to_server.is_empty() || (self.input_has_ended && self.said_so.is_none());
            let left = self.said_so.map(|at| DRAIN.saturating_sub(at.elapsed()));
            if left == Some(Duration::ZERO) {
                fail("* the server does not end the connection");
            }
            let mut entries = vec![Entry::new(self.stream.as_raw_fd(), true, is_sending)];
            if !is_sending && !self.input_has_ended {
                entries.push(Entry::new(0, true, false)); // it waits while what it had is under way
            }
            poll(&mut entries, left).unwrap_or_else(|e| fail(format!("poll: {}", e)));
            if entries[0].is_ready && !self.receive() {
                return;
            }
            if entries.get(1).map_or(false, |e| e.is_ready) {
                self.read_input();
            }
            self.send_some();
            self.end_sending();
        }
    }
}

fn main() {
    let (mut address, mut allows_anonymous, mut tries) = (None, false, TRIES);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--allow-anonymous" => allows_anonymous = true,
            "--tries" => match args.next().and_then(|n| n.parse().ok()) {
                Some(n @ 1..=TRIES_MAX) => tries = n,
                _ => fail("--tries wants a number from 1 to 100000"),
            },
            _ if arg.starts_with('-') || address.is_some() => fail(USAGE),
            _ => address = Some(arg),
        }
    }
    let (mut input, mut to_server) = (standard_input(), Vec::new());
    let address = address.unwrap_or_else(|| ask_address(&mut input, &mut to_server));
    let stream = connect_patiently(&address, tries);
    check_server(&address, &stream, allows_anonymous);
    stream.set_nonblocking(true).unwrap_or_else(|e| fail(format!("the connection: {}", e)));
    let mut talk = Talk { stream, input, to_server, input_has_ended: false, said_so: None };
    talk.run();
    if talk.said_so.is_none() {
        fail("* the server closed the connection");
    }
}
