use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{Line, Space, line::Wire};

/// A listener on the line between callers and one device: passes every datagram on, and keeps a copy.
#[derive(Debug)]
pub struct Tap {
    /// Where callers are to send.
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Copy>>>,
}

/// A datagram as an observer has it.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Which conversation it belongs to: the caller's address.
    pub caller: SocketAddr,
    /// Whether the caller sent it.
    pub from_caller: bool,
    /// When it passed.
    pub at: Instant,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Tap {
    /// Starts to listen in a namespace, at one of its addresses.
    pub fn start(space: &Space, at: SocketAddr, device: SocketAddr) -> Result<Self> {
        Self::on(space, at, device, Line::default(), Line::default())
    }

    /// Starts on a line that is as bad as said, towards the device and back.
    pub fn on(space: &Space, at: SocketAddr, device: SocketAddr, there: Line, back: Line) -> Result<Self> {
        let outside = space.within(|| Ok(UdpSocket::bind(at)?))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let address = outside.local_addr()?;
        let (door, copies) = (space.door()?, heard.clone());
        thread::spawn(move || {
            // Ends with the namespace, whose sockets fail then.
            let listen = || -> Result<()> {
                door.enter()?;
                let mut inside = BTreeMap::<SocketAddr, Wire>::new();
                let mut buffer = [0; 2048];
                loop {
                    let (length, caller) = outside.recv_from(&mut buffer)?;
                    let bytes = buffer.get(..length).unwrap_or_default();
                    keep(&copies, caller, true, bytes);
                    let wire = match inside.entry(caller) {
                        Entry::Occupied(there) => there.into_mut(),
                        Entry::Vacant(new) => {
                            let socket = UdpSocket::bind((at.ip(), 0))?;
                            socket.connect(device)?;
                            let returns = outside.try_clone()?;
                            let answer = move |bytes: &[u8]| drop(returns.send_to(bytes, caller));
                            answers(socket.try_clone()?, Wire::new(back, answer), caller, copies.clone());
                            // A device that is gone is told of by the system.
                            new.insert(Wire::new(there, move |bytes: &[u8]| drop(socket.send(bytes))))
                        }
                    };
                    wire.carry(bytes);
                }
            };
            if let Err(error) = listen() {
                eprintln!("the tap ended: {error:#}");
            }
        });
        Ok(Self { address, heard })
    }

    /// Returns what has been heard so far, and forgets it.
    pub fn heard(&self) -> Vec<Copy> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn answers(inside: UdpSocket, mut wire: Wire, caller: SocketAddr, copies: Arc<Mutex<Vec<Copy>>>) {
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            match inside.recv(&mut buffer) {
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    keep(&copies, caller, false, bytes);
                    wire.carry(bytes);
                }
                // Nobody listens at the moment.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(_) => return,
            }
        }
    });
}

fn keep(copies: &Mutex<Vec<Copy>>, caller: SocketAddr, from_caller: bool, bytes: &[u8]) {
    let copy = Copy { caller, from_caller, at: Instant::now(), bytes: bytes.to_vec() };
    let mut copies = copies.lock().unwrap_or_else(PoisonError::into_inner);
    if copies.len() < MOST {
        copies.push(copy);
    }
}

/// How many datagrams are kept at most.
const MOST: usize = 20_000;
