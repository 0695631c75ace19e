//! Where a request comes from, and whether that address asks too often.

use std::net::IpAddr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError, web};
use ipnet::IpNet;

use super::Problem;
use super::forwarded::{Hop, forwarded, x_forwarded_for};
use crate::gateway::Gateway;

/// Networks whose X-Forwarded-For and Forwarded are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// The client that a chain of hops names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// The first address, from the gateway's side, that is no trusted proxy's.
    At(IpAddr),
    /// A trusted proxy does not name it.
    Hidden,
    /// All are trusted proxies: the farthest of them.
    Proxy(IpAddr),
}

impl TrustedProxies {
    /// The client's address: the peer's, or, where the peer is a trusted proxy, the nearest that such a proxy tells of and that is not
    /// one. What stands beyond is the client's own claim. `None` where a trusted proxy does not name the client.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        let headers = request.headers();
        let chains = (
            self.follow(peer, x_forwarded_for(headers)),
            self.follow(peer, forwarded(headers)),
        );
        match chains {
            (client, Client::Proxy(at)) if at == peer => client.address(),
            (Client::Proxy(_), client) | (client, Client::Proxy(_)) => client.address(),
            (one, other) if one == other => one.address(),
            // A proxy wrote the one and passed on the other, which the client wrote: nobody knows which.
            _ => Some(peer),
        }
    }

    fn follow(&self, peer: IpAddr, mut hops: impl Iterator<Item = Hop>) -> Client {
        let mut farthest = peer;
        while self.trusts(farthest) {
            match hops.next() {
                None => return Client::Proxy(farthest),
                Some(Hop::Hidden) => return Client::Hidden,
                Some(Hop::Address(address)) => farthest = address,
            }
        }
        Client::At(farthest)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Client {
    fn address(self) -> Option<IpAddr> {
        match self {
            Self::At(address) | Self::Proxy(address) => Some(address),
            Self::Hidden => None,
        }
    }
}

/// Turns away an address that asks too often, before anything is read of its request.
pub async fn limit_address<B: MessageBody + 'static>(
    gateway: web::Data<Gateway>,
    proxies: web::Data<TrustedProxies>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let admitted = match proxies.client(request.request()) {
        None => Ok(()),
        Some(address) => gateway.admit_address(address).await,
    };
    match admitted {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(too_many) => Ok(request
            .into_response(Problem::from(too_many).error_response())
            .map_into_right_body()),
    }
}
