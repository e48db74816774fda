//! A name server that knows one name.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::process::free_address;

/// Answers each question for IPv4 addresses with these, and others with nothing, until this process ends.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    ips: Arc<Mutex<Vec<IpAddr>>>,
}

impl Dns {
    pub(crate) fn start(ips: Vec<IpAddr>) -> io::Result<Self> {
        let socket = UdpSocket::bind((free_address()?.ip(), 0))?;
        let address = socket.local_addr()?;
        let ips = Arc::new(Mutex::new(ips));
        let answered = ips.clone();
        thread::spawn(move || answer_all(&socket, &answered));
        Ok(Self { address, ips })
    }

    pub(crate) fn set(&self, ips: Vec<IpAddr>) {
        *self.ips.lock().expect("no holder panics") = ips;
    }
}

fn answer_all(socket: &UdpSocket, ips: &Mutex<Vec<IpAddr>>) -> io::Result<()> {
    let mut query = [0; 1500];
    loop {
        let (length, client) = socket.recv_from(&mut query)?;
        let ips = ips.lock().expect("no holder panics").clone();
        if let Some(answer) = answer(&query[..length], &ips) {
            socket.send_to(&answer, client)?;
        }
    }
}

/// RFC 1035 section 4.
fn answer(query: &[u8], ips: &[IpAddr]) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(12)?;
    let name_end = rest.iter().position(|&byte| byte == 0)? + 1;
    let question = rest.get(..name_end + 4)?;
    let ips = if question[name_end..name_end + 2] == TYPE_A { ips } else { &[] };
    let count = u16::try_from(ips.len()).ok()?;
    let mut answer = header[..2].to_vec();
    // An answer, recursion was and is there to be had.
    answer.extend([0x81, 0x80, 0, 1]);
    answer.extend(count.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(question);
    for ip in ips {
        let IpAddr::V4(ip) = ip else { continue };
        // The name in the question, type A of class IN, for one second, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(ip.octets());
    }
    Some(answer)
}

const TYPE_A: [u8; 2] = [0, 1];
