use std::io;

use tower_fastcgi::listener::{self, AnyListener};

use crate::address::Address;
use crate::failure::{Exit, Failure, Outcome};

/// Listens on an address.
pub(crate) async fn bind(address: &Address) -> Outcome<AnyListener> {
    listener::bind(&address.to_string()).await.map_err(|error| {
        let failure = Failure::new(Exit::Connect, &error);
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.advise("another program listens there: end it, or choose another address")
            }
            io::ErrorKind::AddrNotAvailable => {
                failure.advise("the address is none of this machine's; 127.0.0.1 always is")
            }
            io::ErrorKind::PermissionDenied => {
                failure.advise("choose a port from 1024 on, or a folder that you may write to")
            }
            _ => failure.advise("choose another address"),
        }
    })
}
