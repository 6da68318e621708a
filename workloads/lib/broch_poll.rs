//! Waiting for several descriptors at once, which Rust's standard library does not have: poll_oneoff of
//! WASI preview 1. No crates.
use std::io;
use std::time::Duration;

/// A descriptor, and what it is waited for.
pub struct Entry {
    pub fd: i32,
    pub read: bool,
    pub write: bool,
    /// Whether it happened, or something did that the next read or write will tell.
    pub is_ready: bool,
}

impl Entry {
    pub fn new(fd: i32, read: bool, write: bool) -> Entry {
        Entry { fd, read, write, is_ready: false }
    }
}

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;
const MONOTONIC: u32 = 1;
const NOBODY: u64 = u64::MAX; // the clock's userdata
const EINTR: u16 = 27;

/// `subscription` of WASI; `id` is the clock's or the descriptor.
#[repr(C)]
#[derive(Default)]
struct Subscription {
    userdata: u64,
    kind: u8,
    padding: u32,
    id: u32,
    timeout_ns: u64,
    precision_ns: u64,
    flags: u16,
}

#[repr(C)]
#[derive(Clone, Default)]
struct Event {
    userdata: u64,
    error: u16,
    kind: u8,
    size: u64,
    flags: u16,
}

const _: () = assert!(std::mem::size_of::<Subscription>() == 48 && std::mem::size_of::<Event>() == 32);

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn poll_oneoff(
        wanted: *const Subscription,
        events: *mut Event,
        count: usize,
        happened: *mut usize,
    ) -> u16;
}

/// Waits until something happens to one of the entries, or the time is over. Without entries and time
/// there is nothing to wait for: an error.
pub fn poll(entries: &mut [Entry], timeout: Option<Duration>) -> io::Result<()> {
    let mut wanted = Vec::with_capacity(2 * entries.len() + 1);
    for (place, entry) in entries.iter_mut().enumerate() {
        entry.is_ready = false;
        for (kind, is_wanted) in [(FD_READ, entry.read), (FD_WRITE, entry.write)] {
            if is_wanted {
                let (userdata, id) = (place as u64, entry.fd as u32);
                wanted.push(Subscription { userdata, kind, id, ..Default::default() });
            }
        }
    }
    if let Some(timeout) = timeout {
        let timeout_ns = timeout.as_nanos().try_into().unwrap_or(u64::MAX);
        let clock =
            Subscription { userdata: NOBODY, kind: CLOCK, id: MONOTONIC, timeout_ns, ..Default::default() };
        wanted.push(clock);
    }
    let mut events = vec![Event::default(); wanted.len()];
    let mut happened = 0;
    match unsafe { poll_oneoff(wanted.as_ptr(), events.as_mut_ptr(), wanted.len(), &mut happened) } {
        0 => (),
        EINTR => return Ok(()),
        number => return Err(io::Error::from_raw_os_error(number as i32)),
    }
    for event in events.iter().take(happened) {
        if let Some(entry) = entries.get_mut(event.userdata as usize) {
            entry.is_ready = true;
        }
    }
    Ok(())
}
