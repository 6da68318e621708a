//! A chat server for keeps: every line that a client sends goes to all, with who said it. main.c is the
//! same in C.
//!
//!     chat-server [--allow-anonymous] [PORT]
//!
//! PORT is 50000 unless given. --allow-anonymous admits clients that prove nothing, as over plain TCP.
//!
//! Which keeps may come in, Keep.toml says, and the keep has checked it before a connection gets here; that
//! anonymous clients are refused here too is defence in depth. TLS needs no line of this program.
//!
//! Clients are strangers all the same. Everything has a limit: clients, lines, what waits to be sent. One
//! who does not read is dropped when its queue is full. One who floods is read only as fast as it reads
//! its own lines, a few at a time. Standard output, which the host reads, shows who joins and leaves, not
//! what is said.
#[path = "../lib/broch_peer.rs"]
mod broch_peer;
#[path = "../lib/broch_poll.rs"]
mod broch_poll;

use std::collections::VecDeque;
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::wasi::io::AsRawFd;
use std::process::exit;
use std::time::{Duration, Instant};

use broch_peer::{Kind, Peer};
use broch_poll::{poll, Entry};

const PORT: &str = "50000";
const CLIENTS_MAX: usize = 128;
/// Without its end.
const LINE_MAX: usize = 4096;
/// Of one client, before the next one's turn.
const LINES_A_TURN: usize = 8;
const ACCEPTS_A_TURN: usize = 16;
/// What waits to be sent to one client.
const QUEUE_MAX: usize = 65536;
/// For a client that has ended to read what is left for it.
const DRAIN: Duration = Duration::from_secs(10);
/// Without accepting, when that cannot be.
const PAUSE: Duration = Duration::from_secs(1);

fn fail(why: impl std::fmt::Display) -> ! {
    eprintln!("{}", why);
    exit(1)
}

/// Whether the call need only be made again.
fn is_waiting(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[derive(PartialEq, Eq)]
enum State {
    Here,
    /// Has ended; what is queued for it is still sent, until then.
    Leaving(Instant),
    /// To be forgotten.
    Gone,
}

struct Client {
    stream: TcpStream,
    state: State,
    is_announced: bool,    // that it left
    has_ended: bool,       // it will send nothing more
    is_in_long_line: bool, // what comes up to the next end of line is lost
    why: &'static str,     // it left
    name: String,          // "#1 host/user/repo:tag"
    input: Vec<u8>,        // of a line and its end, or several
    queue: VecDeque<u8>,
}

impl Client {
    fn is_here(&self) -> bool {
        self.state == State::Here
    }

    /// The client is no longer here. It is forgotten at the end of the turn.
    fn leave(&mut self, state: State, why: &'static str) {
        if self.is_here() {
            self.why = why;
        }
        self.state = state;
    }

    /// Sends of the queue what can be sent.
    fn flush(&mut self) {
        while !self.queue.is_empty() {
            match self.stream.write(self.queue.as_slices().0) {
                Ok(size) => drop(self.queue.drain(..size)),
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.leave(State::Gone, ": connection lost"),
            }
        }
    }

    /// Queues a text; the turn's end sends it.
    fn send(&mut self, text: &[u8]) {
        if text.len() > QUEUE_MAX - self.queue.len() {
            self.flush();
        }
        if self.state == State::Gone {
            return;
        }
        if text.len() > QUEUE_MAX - self.queue.len() {
            return self.leave(State::Gone, ": too slow");
        }
        self.queue.extend(text);
    }

    /// Whether there is something to be said for the client, which has read what was sent to it before.
    fn has_turn(&self) -> bool {
        self.is_here()
            && self.queue.is_empty()
            && (self.has_ended || self.input.len() > LINE_MAX || self.input.contains(&b'\n'))
    }

    fn receive(&mut self) {
        let mut buffer = [0; LINE_MAX + 1];
        let room = buffer.len() - self.input.len();
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.has_ended = true,
            Ok(size) => self.input.extend_from_slice(&buffer[..size]),
            Err(e) if is_waiting(&e) => (),
            Err(_) => self.leave(State::Gone, ": connection lost"),
        }
    }

    /// The line without its end, or what is to be told the client instead.
    fn message(&mut self, line: &[u8]) -> Result<Vec<u8>, String> {
        if std::mem::take(&mut self.is_in_long_line) {
            return Err(format!("* a line of more than {} bytes was not sent\n", LINE_MAX));
        }
        let mut text = format!("{}: ", self.name).into_bytes();
        let at = text.len();
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        make_harmless(&mut text[at..]);
        text.push(b'\n');
        Ok(text)
    }
}

/// What a terminal would obey is made visible: control characters, also those of two bytes.
fn make_harmless(line: &mut [u8]) {
    for i in 0..line.len() {
        match line[i] {
            b'\t' => (),
            0..=0x1f | 0x7f => line[i] = b'?',
            0xc2 if matches!(line.get(i + 1), Some(0x80..=0x9f)) => line[i..i + 2].fill(b'?'),
            _ => (),
        }
    }
}

struct Server {
    listener: TcpListener,
    allows_anonymous: bool,
    clients: Vec<Client>,
    last_id: u32,
    paused_until: Option<Instant>,
}

impl Server {
    fn send_all(&mut self, text: &[u8]) {
        for client in self.clients.iter_mut().filter(|c| c.is_here()) {
            client.send(text);
        }
    }

    /// To all clients, and to whoever runs this.
    fn announce(&mut self, text: &str) {
        let mut out = io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.send_all(text.as_bytes());
    }

    // ---- joining ----

    /// Names the client, and says to all who it is.
    fn join(&mut self, stream: TcpStream, peer: Peer) {
        let what = match peer.kind {
            Kind::Keep => peer.workload.as_str(),
            Kind::Local => "local",
            Kind::Anonymous => "anonymous",
        };
        self.last_id = self.last_id.wrapping_add(1);
        let name = format!("#{} {}", self.last_id, what);
        let mut text = format!("{} joined the chat", name);
        if peer.kind != Kind::Anonymous {
            let simulated = if peer.simulated { ", SIMULATED: protects nothing" } else { "" };
            text += &format!(" with digest {} ({}{})", peer.digest, peer.technology, simulated);
        }
        text.push('\n');
        self.clients.push(Client {
            stream,
            state: State::Here,
            is_announced: false,
            has_ended: false,
            is_in_long_line: false,
            why: "",
            name,
            input: Vec::new(),
            queue: VecDeque::new(),
        });
        self.announce(&text);
    }

    /// Lets a new connection in, or says why not.
    fn welcome(&mut self, mut stream: TcpStream) -> Result<(), String> {
        stream.set_nonblocking(true).map_err(|e| e.to_string())?;
        let peer = Peer::of(&stream).map_err(|e| e.to_string())?;
        if peer.kind == Kind::Anonymous && !self.allows_anonymous {
            return Err("client did not present a valid certificate".to_string());
        }
        if self.clients.len() == CLIENTS_MAX {
            // a new connection has room for it
            let _ =
                stream.write(format!("* the server is full: it has {} clients\n", CLIENTS_MAX).as_bytes());
            return Err(format!("there are {} clients", CLIENTS_MAX));
        }
        self.join(stream, peer);
        Ok(())
    }

    fn accept_some(&mut self) {
        for _ in 0..ACCEPTS_A_TURN {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Err(why) = self.welcome(stream) {
                        eprintln!("{}, refuse connection", why);
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => (),
                Err(e) => {
                    // too many connections, as it may be: it passes
                    eprintln!("failed to accept: {}", e);
                    self.paused_until = Some(Instant::now() + PAUSE);
                    return;
                }
            }
        }
    }

    // ---- what they say ----

    fn say_line(&mut self, at: usize, line: &[u8]) {
        match self.clients[at].message(line) {
            Ok(text) => self.send_all(&text),
            Err(text) => self.clients[at].send(text.as_bytes()),
        }
    }

    /// Says some of a client's lines; at its end the rest is one, too.
    fn say_some(&mut self, at: usize) {
        for _ in 0..LINES_A_TURN {
            let client = &mut self.clients[at];
            if !client.is_here() {
                return;
            }
            if let Some(size) = client.input.iter().position(|c| *c == b'\n') {
                let line: Vec<u8> = client.input.drain(..=size).collect();
                self.say_line(at, &line[..size]);
                continue;
            }
            if client.input.len() > LINE_MAX {
                client.is_in_long_line = true;
                client.input.clear();
            }
            if client.has_ended {
                let rest = std::mem::take(&mut client.input);
                if !rest.is_empty() || client.is_in_long_line {
                    self.say_line(at, &rest);
                }
                if self.clients[at].is_here() {
                    self.clients[at].leave(State::Leaving(Instant::now() + DRAIN), "");
                }
            }
            return;
        }
    }

    // ---- leaving ----

    /// Sends what is queued, and says who has left. That can make others leave, who do not read it.
    fn end_turn(&mut self) {
        loop {
            self.clients.iter_mut().filter(|c| c.state != State::Gone).for_each(Client::flush);
            let departed = self.clients.iter_mut().find(|c| !c.is_here() && !c.is_announced);
            let text = match departed {
                Some(client) => {
                    client.is_announced = true;
                    format!("{} left the chat{}\n", client.name, client.why)
                }
                None => return,
            };
            self.announce(&text);
        }
    }

    fn forget_gone(&mut self) {
        self.clients.retain(|c| match c.state {
            State::Here => true,
            State::Leaving(until) => !c.queue.is_empty() && Instant::now() < until,
            State::Gone => false,
        });
    }

    // ---- the turns ----

    fn turn(&mut self) {
        let is_paused = self.paused_until.map_or(false, |until| Instant::now() < until);
        let has_turn = self.clients.iter().any(Client::has_turn);
        let is_timed = is_paused || self.clients.iter().any(|c| !c.is_here());
        let timeout = if has_turn {
            Some(Duration::ZERO)
        } else if is_timed {
            Some(PAUSE)
        } else {
            None
        };
        // a client is read from only when it has read its own
        let mut entries: Vec<Entry> = self
            .clients
            .iter()
            .map(|c| {
                let reads = c.is_here() && c.queue.is_empty() && !c.has_ended && !c.has_turn();
                Entry::new(c.stream.as_raw_fd(), reads, !c.queue.is_empty())
            })
            .collect();
        entries.push(Entry::new(self.listener.as_raw_fd(), !is_paused, false));
        poll(&mut entries, timeout).unwrap_or_else(|e| fail(format!("poll: {}", e)));
        for (client, entry) in self.clients.iter_mut().zip(&entries) {
            if entry.is_ready && entry.write {
                client.flush();
            } else if entry.is_ready {
                client.receive();
            }
        }
        for at in 0..self.clients.len() {
            if self.clients[at].has_turn() {
                self.say_some(at);
            }
        }
        if entries.last().map_or(false, |e| e.is_ready) {
            self.accept_some();
        }
        self.end_turn();
        self.forget_gone();
    }
}

fn main() {
    let (mut port, mut allows_anonymous) = (None, false);
    for arg in env::args().skip(1) {
        match arg.as_str() {
            "--allow-anonymous" => allows_anonymous = true,
            _ if arg.starts_with('-') || port.is_some() => {
                fail("usage: chat-server [--allow-anonymous] [PORT]")
            }
            _ => port = Some(arg),
        }
    }
    let port = port.unwrap_or_else(|| PORT.to_string());
    let listener = broch_peer::listen(&port)
        .and_then(|l| l.set_nonblocking(true).map(|()| l))
        .unwrap_or_else(|e| fail(format!("failed to listen: {}", e)));
    println!("Listening on port {}", port);
    let mut server =
        Server { listener, allows_anonymous, clients: Vec::new(), last_id: 0, paused_until: None };
    loop {
        server.turn();
    }
}
