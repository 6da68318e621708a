//! Who is at the other end: for workloads in Rust that run in a Broch keep. One file, no crates:
//!
//!     #[path = "../lib/broch_peer.rs"]
//!     mod broch_peer;
//!
//!     let stream = broch_peer::connect("chat.example:50000")?;
//!     let peer = Peer::of(&stream)?;
//!     if peer.runs("registry.example/alice/chat-server") && !peer.simulated { … }
//!
//! The keep has checked the peer's certificate before it says anything; what it says is one line of
//! JSON (docs/workloads.md), which is read here strictly, and never past a limit that is named.
//! `broch_peer.h` is the same for C, has the shapes, and gives the same answers: a test holds the two
//! together.
//!
//! Keys may come in any order. Others are passed over, whatever their value, so that later versions can
//! say more; those of the shapes may come once only, and only where they belong. The JSON is that of RFC
//! 8259; that strings which are passed over are UTF-8 is not checked.
#![allow(dead_code)] // no program uses all of it

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// Bytes of a workload's name, of a host and of an address, at most.
pub const WORKLOAD_MAX: usize = 1024;
pub const HOST_MAX: usize = 255;
pub const ADDRESS_MAX: usize = 63;
/// Bytes of a file under /net/peer, at most.
pub const TEXT_MAX: usize = 4096;
/// How deep values that are passed over may nest.
pub const DEPTH_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is known.
    Anonymous,
    /// A keep whose workload has a digest, and no name that was proved.
    Local,
    /// A keep whose workload has both.
    Keep,
}

/// Who it is. A text that its kind does not have is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub kind: Kind,
    /// A simulated platform, which protects nothing.
    pub simulated: bool,
    /// Of a `Keep`: "host/user/repo:tag".
    pub workload: String,
    /// Of the workload: SHA-256 in base64 without padding, 43 bytes.
    pub digest: String,
    /// "snp", "sgx" or "tdx".
    pub technology: String,
    /// Of the keep image, in lower-case hexadecimal.
    pub measurement: String,
}

/// A line of /net/peer/lis. The address is as the host says, which nobody checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub peer: Peer,
    pub address: String,
}

/// A line of /net/peer/con. The host is as it was asked for; an IPv6 address has no brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    pub peer: Peer,
    pub host: String,
    pub port: u16,
}

#[derive(Debug)]
pub enum Error {
    /// The file cannot be opened or read; `NotFound`: the descriptor is no connection.
    File(io::Error),
    /// The text or a value in it is longer than its limit.
    Long,
    /// The text ends early.
    Cut,
    /// The text is no JSON, or something follows it.
    Syntax,
    /// Nested deeper than `DEPTH_MAX`.
    Deep,
    /// A key is there twice.
    Duplicate,
    /// A key is missing.
    Missing,
    /// A key that this kind does not have.
    Surplus,
    /// A value is not of its form.
    Value,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the identity of the peer ")?;
        match self {
            Error::File(e) => write!(f, "cannot be read: {}", e),
            Error::Long => f.write_str("is too long"),
            Error::Cut => f.write_str("ends early"),
            Error::Syntax => f.write_str("is not JSON"),
            Error::Deep => f.write_str("is nested too deep"),
            Error::Duplicate => f.write_str("has a key twice"),
            Error::Missing => f.write_str("lacks a key"),
            Error::Surplus => f.write_str("has a key that its kind does not have"),
            Error::Value => f.write_str("has a value that is not allowed"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        match e {
            Error::File(e) => e,
            e => io::Error::new(io::ErrorKind::InvalidData, e),
        }
    }
}

// ---- the reader of JSON ----

struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl Json<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek().ok_or(Error::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// What comes behind white space, without taking it; it is not 0.
    fn next(&mut self) -> Result<u8, Error> {
        self.blank();
        match self.peek() {
            None => Err(Error::Cut),
            Some(0) => Err(Error::Syntax),
            Some(byte) => Ok(byte),
        }
    }

    /// Whether that is what is wanted; then takes it.
    fn has(&mut self, wanted: u8) -> Result<bool, Error> {
        let found = self.next()? == wanted;
        self.at += found as usize;
        Ok(found)
    }

    fn take(&mut self, wanted: u8) -> Result<(), Error> {
        if self.has(wanted)? {
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        for wanted in word.bytes() {
            if self.byte()? != wanted {
                return Err(Error::Syntax);
            }
        }
        Ok(())
    }

    /// Behind a backslash: the character, or none for one outside of printable ASCII.
    fn escape(&mut self) -> Result<Option<u8>, Error> {
        match self.byte()? {
            c @ (b'"' | b'\\' | b'/') => Ok(Some(c)),
            b'b' | b'f' | b'n' | b'r' | b't' => Ok(None),
            b'u' => {
                let mut code = 0;
                for _ in 0..4 {
                    code = code * 16 + (self.byte()? as char).to_digit(16).ok_or(Error::Syntax)?;
                }
                Ok((0x20..=0x7e).contains(&code).then(|| code as u8))
            }
            _ => Err(Error::Syntax),
        }
    }

    /// A string of at most `max` bytes of printable ASCII, as all are that concern us; others are
    /// passed over and give Value, or Long.
    fn string(&mut self, max: usize) -> Result<Result<String, Error>, Error> {
        let (mut text, mut plain, mut long) = (String::new(), true, false);
        self.take(b'"')?;
        loop {
            let c = match self.byte()? {
                b'"' => break,
                b'\\' => self.escape()?,
                c @ 0x20..=0x7e => Some(c),
                0..=0x1f => return Err(Error::Syntax),
                _ => None,
            };
            match c {
                None => plain = false,
                Some(c) if text.len() < max => text.push(c as char),
                Some(_) => long = true,
            }
        }
        Ok(match (plain, long) {
            (false, _) => Err(Error::Value),
            (true, true) => Err(Error::Long),
            (true, false) => Ok(text),
        })
    }

    /// A string that is a value of ours.
    fn text(&mut self, max: usize) -> Result<String, Error> {
        if self.next()? != b'"' {
            return Err(Error::Value);
        }
        self.string(max)?
    }

    fn digits(&mut self) -> Result<(), Error> {
        if !self.byte()?.is_ascii_digit() {
            return Err(Error::Syntax);
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn skip_plain(&mut self) -> Result<(), Error> {
        match self.next()? {
            b'"' => self.string(0).map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.skip_number(),
        }
    }

    fn skip_key(&mut self) -> Result<(), Error> {
        self.string(0).map(drop)?;
        self.take(b':')
    }

    /// Passes over any value. Not recursive: a workload's stack is small.
    fn skip(&mut self) -> Result<(), Error> {
        let mut closers = Vec::new();
        loop {
            let c = self.next()?;
            if c == b'{' || c == b'[' {
                if closers.len() == DEPTH_MAX {
                    return Err(Error::Deep);
                }
                let closer = if c == b'{' { b'}' } else { b']' };
                self.at += 1;
                if !self.has(closer)? {
                    closers.push(closer);
                    if c == b'{' {
                        self.skip_key()?;
                    }
                    continue; // its first value
                }
            } else {
                self.skip_plain()?;
            }
            // a value has ended, and perhaps what it stands in
            while let Some(closer) = closers.last().copied() {
                if !self.has(closer)? {
                    break;
                }
                closers.pop();
            }
            match closers.last() {
                None => return Ok(()),
                Some(b'}') => {
                    self.take(b',')?;
                    self.skip_key()?;
                }
                Some(_) => self.take(b',')?,
            }
        }
    }

    /// Reads an object: `member` is called with the place of each key that is in `keys`, and takes the
    /// value. Returns which were there, a bit for each place.
    fn object(
        &mut self,
        keys: &[&str],
        mut member: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<u32, Error> {
        let mut seen = 0;
        if !self.has(b'{')? {
            return Err(Error::Value);
        }
        if self.has(b'}')? {
            return Ok(seen);
        }
        loop {
            let key = self.string(15)?.ok();
            self.take(b':')?;
            match keys.iter().position(|k| Some(*k) == key.as_deref()) {
                Some(place) if seen & 1 << place != 0 => return Err(Error::Duplicate),
                Some(place) => {
                    seen |= 1 << place;
                    member(self, place)?;
                }
                None => self.skip()?,
            }
            if self.has(b'}')? {
                return Ok(seen);
            }
            self.take(b',')?;
        }
    }

    /// Nothing but white space may follow.
    fn end(&mut self) -> Result<(), Error> {
        self.blank();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Error::Syntax)
        }
    }

    // ---- what stands in the files ----

    fn peer(&mut self) -> Result<Peer, Error> {
        let keys = ["kind", "workload", "digest", "technology", "simulated", "measurement"];
        let mut p = Peer {
            kind: Kind::Anonymous,
            simulated: false,
            workload: String::new(),
            digest: String::new(),
            technology: String::new(),
            measurement: String::new(),
        };
        let seen = self.object(&keys, |j, key| {
            match key {
                0 => {
                    p.kind = match j.text(9)?.as_str() {
                        "anonymous" => Kind::Anonymous,
                        "local" => Kind::Local,
                        "keep" => Kind::Keep,
                        _ => return Err(Error::Value),
                    }
                }
                1 => p.workload = valid(j.text(WORKLOAD_MAX)?, workload_is_valid)?,
                2 => p.digest = valid(j.text(43)?, digest_is_valid)?,
                3 => p.technology = valid(j.text(3)?, |t| ["snp", "sgx", "tdx"].contains(&t))?,
                4 => {
                    p.simulated = match j.next()? {
                        b't' => true,
                        b'f' => false,
                        _ => return Err(Error::Value),
                    };
                    j.word(if p.simulated { "true" } else { "false" })?;
                }
                _ => p.measurement = valid(j.text(96)?, measurement_is_valid)?,
            }
            Ok(())
        })?;
        if seen & 1 == 0 {
            return Err(Error::Missing);
        }
        check_keys(
            seen,
            match p.kind {
                Kind::Keep => 0x3f,
                Kind::Local => 0x3d,
                Kind::Anonymous => 0x01,
            },
        )?;
        Ok(p)
    }

    fn host(&mut self) -> Result<String, Error> {
        let mut host = String::new();
        let seen = self.object(&["Domain", "Ipv4", "Ipv6"], |j, _| {
            if !host.is_empty() {
                return Err(Error::Surplus);
            }
            host = valid(j.text(HOST_MAX)?, |h| !h.is_empty())?;
            Ok(())
        })?;
        if seen != 0 {
            Ok(host)
        } else {
            Err(Error::Missing)
        }
    }

    fn port(&mut self) -> Result<u16, Error> {
        match self.next()? {
            b'1'..=b'9' => (),
            _ => return Err(Error::Value),
        }
        let mut port: u16 = 0;
        while let Some(c @ b'0'..=b'9') = self.peek() {
            port = port.checked_mul(10).and_then(|p| p.checked_add((c - b'0') as u16)).ok_or(Error::Value)?;
            self.at += 1;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            Err(Error::Value)
        } else {
            Ok(port)
        }
    }
}

// ---- the forms of values ----

fn valid(text: String, is_valid: impl Fn(&str) -> bool) -> Result<String, Error> {
    if is_valid(&text) {
        Ok(text)
    } else {
        Err(Error::Value)
    }
}

/// Whether the keys that were seen are those that are needed, and no others.
fn check_keys(seen: u32, needed: u32) -> Result<(), Error> {
    if needed & !seen != 0 {
        return Err(Error::Missing);
    }
    if seen == needed {
        Ok(())
    } else {
        Err(Error::Surplus)
    }
}

fn base64_value(c: u8) -> Option<u8> {
    match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// 43 characters are 258 bits: the last two must be 0.
fn digest_is_valid(digest: &str) -> bool {
    digest.len() == 43
        && digest.bytes().all(|c| base64_value(c).is_some())
        && digest.bytes().last().and_then(base64_value).map_or(false, |v| v & 3 == 0)
}

fn measurement_is_valid(hex: &str) -> bool {
    (hex.len() == 64 || hex.len() == 96) && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

/// host/user/repo:tag, no part of them empty. The keep has checked the rest.
fn workload_is_valid(workload: &str) -> bool {
    let parts: Vec<&str> = workload.split('/').collect();
    let last: Vec<&str> = parts.last().map_or(Vec::new(), |p| p.split(':').collect());
    workload.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-+/:[]".contains(&c))
        && parts.len() == 3
        && last.len() == 2
        && parts.iter().chain(&last).all(|p| !p.is_empty())
}

// ---- reading ----

fn parse<T>(text: &[u8], read: impl FnOnce(&mut Json) -> Result<T, Error>) -> Result<T, Error> {
    if text.len() > TEXT_MAX {
        return Err(Error::Long);
    }
    let mut json = Json { text, at: 0 };
    let out = read(&mut json)?;
    json.end()?;
    Ok(out)
}

fn read_file(path: &str) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(Error::File)?;
    file.take(TEXT_MAX as u64 + 1).read_to_end(&mut text).map_err(Error::File)?;
    Ok(text)
}

impl Peer {
    /// Reads a bare identity, as /net/peer/fd/N has it.
    pub fn parse(text: &[u8]) -> Result<Peer, Error> {
        parse(text, |json| json.peer())
    }

    /// Who is at the other end of a connection, by its descriptor. This or `of` is the one to use: it
    /// cannot name another connection's peer.
    pub fn of_fd(fd: i32) -> Result<Peer, Error> {
        Peer::parse(&read_file(&format!("/net/peer/fd/{}", fd))?)
    }

    /// The same for a stream.
    #[cfg(target_os = "wasi")]
    pub fn of(stream: &impl std::os::wasi::io::AsRawFd) -> Result<Peer, Error> {
        Peer::of_fd(stream.as_raw_fd())
    }

    /// Whether it is a keep that runs this workload, "host/user/repo", in whatever version.
    pub fn runs(&self, workload: &str) -> bool {
        self.kind == Kind::Keep && self.workload.rsplit_once(':').map_or(false, |(name, _)| name == workload)
    }

    /// The version of the workload, as "0.1.0"; empty unless it is a `Keep`.
    pub fn tag(&self) -> &str {
        self.workload.rsplit_once(':').map_or("", |(_, tag)| tag)
    }

    /// The digest; `None` when it is `Anonymous`.
    pub fn digest_bytes(&self) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        let (mut bits, mut count, mut used) = (0u32, 0, 0);
        for value in self.digest.bytes().filter_map(base64_value) {
            bits = bits << 6 | value as u32;
            count += 6;
            if count >= 8 && used < out.len() {
                count -= 8;
                out[used] = (bits >> count) as u8;
                used += 1;
            }
        }
        (used == out.len()).then(|| out)
    }

    /// The digest in hexadecimal, as sha256sum writes it; empty when it is `Anonymous`.
    pub fn digest_hex(&self) -> String {
        self.digest_bytes().iter().flatten().map(|byte| format!("{:02x}", byte)).collect()
    }
}

impl Accepted {
    /// Reads a line of /net/peer/lis.
    pub fn parse(text: &[u8]) -> Result<Accepted, Error> {
        parse(text, |json| {
            let (mut address, mut peer) = (String::new(), None);
            let seen = json.object(&["addr", "peer"], |j, key| {
                match key {
                    0 => address = j.text(ADDRESS_MAX)?,
                    _ => peer = Some(j.peer()?),
                }
                Ok(())
            })?;
            check_keys(seen, 0x3)?;
            Ok(Accepted { address, peer: peer.ok_or(Error::Missing)? })
        })
    }

    /// The next peer, in their order, that was accepted and that nobody has asked for by this function.
    /// Its place in the order is all that says which connection it belongs to.
    pub fn next() -> Result<Option<Accepted>, Error> {
        let text = read_file("/net/peer/lis")?;
        if text.is_empty() {
            Ok(None)
        } else {
            Accepted::parse(&text).map(Some)
        }
    }
}

impl Connected {
    /// Reads a line of /net/peer/con.
    pub fn parse(text: &[u8]) -> Result<Connected, Error> {
        parse(text, |json| {
            let (mut host, mut port, mut peer) = (String::new(), 0, None);
            let seen = json.object(&["host", "port", "peer"], |j, key| {
                match key {
                    0 => host = j.host()?,
                    1 => port = j.port()?,
                    _ => peer = Some(j.peer()?),
                }
                Ok(())
            })?;
            check_keys(seen, 0x7)?;
            Ok(Connected { host, port, peer: peer.ok_or(Error::Missing)? })
        })
    }

    /// The same as `Accepted::next` for peers that were connected to.
    pub fn next() -> Result<Option<Connected>, Error> {
        let text = read_file("/net/peer/con")?;
        if text.is_empty() {
            Ok(None)
        } else {
            Connected::parse(&text).map(Some)
        }
    }
}

// ---- sockets ----

#[cfg(target_os = "wasi")]
mod sockets {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::net::{TcpListener, TcpStream};
    use std::os::wasi::io::{AsRawFd, FromRawFd, IntoRawFd};

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn sock_shutdown(fd: i32, how: u8) -> u16;
    }

    fn open(folder: &str, name: &str) -> io::Result<File> {
        let is_long = name.len() > super::HOST_MAX + 8; // brackets, a colon, a port
        if name.is_empty() || is_long || name.starts_with('.') || name.contains(&['/', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a host and port"));
        }
        OpenOptions::new().read(true).write(true).open(format!("/net/{}/{}", folder, name))
    }

    /// Connects to "HOST:PORT" and returns when the connection, with its TLS, is there. What it may
    /// connect to, the configuration says; else `PermissionDenied`. Of the stream, `read`, `write`,
    /// `peek` and `set_nonblocking` work; for its end there is `end_sending`.
    pub fn connect(to: &str) -> io::Result<TcpStream> {
        let file = open("con", to)?;
        Ok(unsafe { TcpStream::from_raw_fd(file.into_raw_fd()) })
    }

    /// Listens at a port, "50000"; `accept` gives connections, whose TLS is done (and an address of
    /// 0.0.0.0: there is no call for it). `set_nonblocking` works.
    pub fn listen(port: &str) -> io::Result<TcpListener> {
        let file = open("lis", port)?;
        Ok(unsafe { TcpListener::from_raw_fd(file.into_raw_fd()) })
    }

    /// Tells the peer that nothing more will come; it can still send.
    pub fn end_sending(stream: &TcpStream) -> io::Result<()> {
        match unsafe { sock_shutdown(stream.as_raw_fd(), 2) } {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(number as i32)),
        }
    }
}

#[cfg(target_os = "wasi")]
pub use sockets::{connect, end_sending, listen};
