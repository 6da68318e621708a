//! Shows what broch_peer.rs makes of things; peer_probe.c does the same with broch_peer.h, and says how.
#[path = "../../../workloads/lib/broch_peer.rs"]
mod broch_peer;

use broch_peer::{Accepted, Connected, Error, Kind, Peer};
use std::io::{self, BufRead, Read};

fn show(p: &Peer) -> String {
    let kind = match p.kind {
        Kind::Anonymous => "anonymous",
        Kind::Local => "local",
        Kind::Keep => "keep",
    };
    format!(
        "{} {} [{}] [{}] [{}] [{}] [{}] [{}] {}",
        kind,
        p.simulated as u8,
        p.workload,
        p.digest,
        p.digest_hex(),
        p.technology,
        p.measurement,
        p.tag(),
        p.runs("registry.example/alice/chat") as u8
    )
}

fn show_lis(a: Accepted) -> String {
    format!("[{}] {}", a.address, show(&a.peer))
}

fn show_con(c: Connected) -> String {
    format!("[{}] {} {}", c.host, c.port, show(&c.peer))
}

fn print(result: Result<Option<String>, Error>) {
    let text = match result {
        Ok(Some(text)) => text,
        Ok(None) => "none".to_string(),
        Err(Error::File(_)) => "file".to_string(),
        Err(e) => format!("{:?}", e).to_lowercase(),
    };
    println!("{}", text);
}

fn texts() -> Option<()> {
    let mut input = io::stdin().lock();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let (kind, size) = line.trim().split_once(' ')?;
        let mut text = vec![0; size.parse().ok()?];
        input.read_exact(&mut text).ok()?;
        print(match kind {
            "fd" => Peer::parse(&text).map(|p| Some(show(&p))),
            "lis" => Accepted::parse(&text).map(|a| Some(show_lis(a))),
            _ => Connected::parse(&text).map(|c| Some(show_con(c))),
        });
    }
}

#[cfg(target_os = "wasi")]
fn ask_both(fd: i32) {
    print(Peer::of_fd(fd).map(|p| Some(show(&p))));
    print(Accepted::next().map(|a| a.map(show_lis)));
    print(Connected::next().map(|c| c.map(show_con)));
}

#[cfg(target_os = "wasi")]
fn talk_to_self(port: &str) -> io::Result<()> {
    use std::os::wasi::io::AsRawFd;

    let listener = broch_peer::listen(port)?;
    ask_both(listener.as_raw_fd());
    let from = broch_peer::connect(&format!("localhost:{}", port))?;
    let (to, _) = listener.accept()?;
    broch_peer::end_sending(&to)?;
    assert_eq!((&from).read(&mut [0])?, 0);
    Peer::of(&to)?;
    for fd in [from.as_raw_fd(), to.as_raw_fd(), 1, 99] {
        ask_both(fd);
    }
    Ok(())
}

fn main() {
    #[cfg(target_os = "wasi")]
    if let Some(port) = std::env::args().nth(1) {
        return talk_to_self(&port).expect("sockets");
    }
    texts();
}
