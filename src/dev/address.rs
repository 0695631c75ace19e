//! Base URLs of servers on this machine.

use std::net::{Ipv4Addr, SocketAddr};

/// The URL that reaches a server listening here, without a slash at its end. One that listens on
/// every address is reached on loopback.
pub(super) fn base_url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, address.port())
    } else {
        format!("http://{address}")
    }
}
