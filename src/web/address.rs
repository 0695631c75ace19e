//! Where a request comes from, and whether that address asks too often.

use std::net::{IpAddr, SocketAddr};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::X_FORWARDED_FOR;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError, web};
use ipnet::IpNet;

use super::Problem;
use crate::gateway::Gateway;

/// Networks whose X-Forwarded-For is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// The client's address: the peer's, or, where the peer is a trusted proxy, the last address in X-Forwarded-For that
    /// is not one. What stands further left is the client's own claim.
    pub fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr().as_ref().map(SocketAddr::ip)?;
        let hops: Vec<&str> = request
            .headers()
            .get_all(X_FORWARDED_FOR)
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(','))
            .collect();
        let mut client = peer;
        for hop in hops.iter().rev() {
            if !self.trusts(client) {
                break;
            }
            match hop.trim().parse() {
                Ok(address) => client = address,
                Err(_) => break,
            }
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Turns away an address that asks too often, before anything is read of its request.
pub async fn limit_address<B: MessageBody + 'static>(
    gateway: web::Data<Gateway>,
    proxies: web::Data<TrustedProxies>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let admitted = proxies
        .client(request.request())
        .map_or(Ok(()), |address| gateway.admit_address(address));
    match admitted {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(too_many) => Ok(request
            .into_response(Problem::from(too_many).error_response())
            .map_into_right_body()),
    }
}
