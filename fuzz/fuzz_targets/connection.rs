//! Any bytes a peer may send, in reads of any size: the connection ends, and never panics.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use support::{App, Exec, builder, serve_with};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (exec, chunk, bytes) = input;
    let exec = Exec::ALL[usize::from(exec) % Exec::ALL.len()];
    let (mut server, mut client) = serve_with(&builder(), exec, App::echo());
    for part in bytes.chunks(usize::from(chunk).max(1)) {
        client.send_bytes(part);
        server.run();
    }
    client.close();
    server.run();
    assert!(!server.is_running());
    assert_eq!(server.tasks().live(), 0);
    // A panic within an exchange is caught, and answered so. Status 500 alone is also what an Authorizer's request gets.
    let output = client.recv_bytes();
    assert!(!output.windows(PANICKED.len()).any(|window| window == PANICKED));
});

const PANICKED: &[u8] = b"internal server error";
