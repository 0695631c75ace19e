//! The outbound guard: key sets and discovery documents are fetched from addresses that tenants
//! typed in, so every address is judged before it is dialled, and the address judged is the one
//! dialled. Public https only; what else may be reached, the installation lists by network.

mod failure;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, ClientBuilder, Method, Request, Response, StatusCode, header};
use secrecy::ExposeSecret;
use url::{Host, Url};

use failure::ResolveFailure;
pub use failure::{BadCertificate, OutboundError};

use crate::config::WebProxy;

/// Most bytes of an answer.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// What may be reached beyond public addresses.
#[derive(Debug, Clone)]
pub struct OutboundPolicy {
    /// Networks that may be reached though they are not public; also by plain http and on any port.
    pub allow: Vec<IpNet>,
    /// Ports at public addresses.
    pub ports: Vec<u16>,
    /// The proxy for public addresses. It resolves names, so these are judged by their text alone.
    pub proxy: Option<WebProxy>,
}

impl Default for OutboundPolicy {
    /// Public addresses at port 443, nothing else.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ports: vec![443],
            proxy: None,
        }
    }
}

impl OutboundPolicy {
    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.iter().any(|network| network.contains(&address))
    }
}

/// The HTTP clients cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the client that fetches signing keys")]
pub struct OutboundSetupError(#[from] reqwest::Error);

#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) body: Bytes,
    /// `max-age` of `Cache-Control`; zero for `no-store` and `no-cache`.
    pub(super) max_age: Option<Duration>,
}

/// Any answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: header::HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Fetches documents under an [`OutboundPolicy`].
pub struct Outbound {
    policy: Arc<OutboundPolicy>,
    /// Dials public and listed addresses.
    public: Client,
    /// Dials listed addresses only: for plain http and for other ports.
    listed: Client,
    /// Dials the installation's proxy and nothing else.
    proxied: Option<Client>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Which client an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressClass {
    Public,
    Listed,
    /// Public, through the installation's proxy.
    Proxied,
}

impl Outbound {
    /// On a machine without root certificates it trusts no https server at all, says so in the log,
    /// and still fetches by http from listed networks: enough to develop with.
    pub fn new(policy: OutboundPolicy) -> Result<Self, OutboundSetupError> {
        let policy = Arc::new(policy);
        Self::with_roots(&policy, &Roots::System).or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                "no root certificates: signing keys cannot be fetched by https; install ca-certificates"
            );
            Self::with_roots(&policy, &Roots::None)
        })
    }

    /// The same guard, believing nobody but whom these have signed.
    pub(super) fn trusting(&self, ders: &[&[u8]]) -> Result<Self, OutboundSetupError> {
        let roots: Result<Vec<_>, _> = ders.iter().map(|der| Certificate::from_der(der)).collect();
        Self::with_roots(&self.policy, &Roots::These(roots?))
    }

    fn with_roots(policy: &Arc<OutboundPolicy>, roots: &Roots) -> Result<Self, OutboundSetupError> {
        let proxied = match &policy.proxy {
            Some(proxy) => Some(through(proxy, roots)?),
            None => None,
        };
        Ok(Self {
            public: direct(policy, AddressClass::Public, roots)?,
            listed: direct(policy, AddressClass::Listed, roots)?,
            proxied,
            policy: Arc::clone(policy),
        })
    }

    /// Judges an address by its text. Names are judged again once they are resolved.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.reach(url).map(|_| ())
    }

    fn reach(&self, url: &Url) -> Result<AddressClass, OutboundError> {
        let refuse = Err(OutboundError::NotAllowed);
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return refuse;
        }
        let reach = match url.scheme() {
            "https"
                if url
                    .port_or_known_default()
                    .is_some_and(|port| self.policy.ports.contains(&port)) =>
            {
                AddressClass::Public
            }
            "https" | "http" => AddressClass::Listed,
            _ => return refuse,
        };
        let is_proxied = |proxy: &WebProxy| reach == AddressClass::Public && proxy.serves(url);
        let reach = match &self.policy.proxy {
            Some(proxy) if is_proxied(proxy) => AddressClass::Proxied,
            _ => reach,
        };
        let literal = match url.host() {
            None | Some(Host::Domain("")) => return refuse,
            Some(Host::Domain(_))
                if reach == AddressClass::Listed && self.policy.allow.is_empty() =>
            {
                return refuse;
            }
            Some(Host::Domain(name)) if reach == AddressClass::Proxied && !is_outside(name) => {
                return refuse;
            }
            Some(Host::Domain(_)) => return Ok(reach),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        // A literal address never meets the resolver.
        if may_dial(&self.policy, reach, literal) {
            Ok(reach)
        } else {
            refuse
        }
    }

    pub(super) async fn get(&self, url: &Url) -> Result<Fetched, OutboundError> {
        let mut request = Request::new(Method::GET, url.clone());
        request.headers_mut().insert(
            header::ACCEPT,
            header::HeaderValue::from_static("application/json"),
        );
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(OutboundError::of_status(
                response.status(),
                response.headers(),
            ));
        }
        Ok(Fetched {
            max_age: max_age(response.headers()),
            body: read(response).await?.into(),
        })
    }

    /// Sends a request, and gives whatever is answered within the bounds.
    pub(super) async fn execute(&self, request: Request) -> Result<Answered, OutboundError> {
        let response = self.send(request).await?;
        Ok(Answered {
            status: response.status(),
            headers: response.headers().clone(),
            body: read(response).await?,
        })
    }

    async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        match (self.reach(request.url())?, &self.proxied) {
            (AddressClass::Public, _) => self.public.execute(request).await.map_err(failed),
            (AddressClass::Listed, _) => self.listed.execute(request).await.map_err(failed),
            (AddressClass::Proxied, Some(client)) => {
                let answer = client.execute(request).await;
                answer.map_err(|error| {
                    let is_connecting = error.is_connect();
                    match failed(error) {
                        // What of the way there failed is between us and the proxy.
                        OutboundError::Refused | OutboundError::Broken if is_connecting => {
                            OutboundError::Proxy
                        }
                        other => other,
                    }
                })
            }
            (AddressClass::Proxied, None) => Err(OutboundError::NotAllowed),
        }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, OutboundError> {
    // The client decodes nothing, so a bomb stays small; it is refused by name all the same.
    if let Some(encoding) = response.headers().get(header::CONTENT_ENCODING) {
        return Err(OutboundError::of_encoding(encoding));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> OutboundError {
    let failure = OutboundError::from_reqwest(&error);
    tracing::debug!(error = %error.without_url(), "outbound fetch failed");
    failure
}

/// Whose certificates are believed.
#[derive(Debug, Clone)]
enum Roots {
    /// Those that the system trusts.
    System,
    /// Only these certificates.
    These(Vec<Certificate>),
    /// Nobody's.
    None,
}

fn direct(
    policy: &Arc<OutboundPolicy>,
    reach: AddressClass,
    roots: &Roots,
) -> Result<Client, reqwest::Error> {
    let resolver = GuardedResolver {
        policy: Arc::clone(policy),
        reach,
    };
    bounded(roots)
        .no_proxy()
        .https_only(reach == AddressClass::Public)
        .dns_resolver(resolver)
        .build()
}

/// The proxy's own name is the operator's, so it is not judged.
fn through(proxy: &WebProxy, roots: &Roots) -> Result<Client, reqwest::Error> {
    bounded(roots)
        .proxy(reqwest::Proxy::https(proxy.url().expose_secret())?)
        .https_only(true)
        .build()
}

fn bounded(roots: &Roots) -> ClientBuilder {
    let builder = match roots {
        Roots::System => Client::builder(),
        Roots::These(roots) => Client::builder().tls_certs_only(roots.iter().cloned()),
        Roots::None => Client::builder().tls_certs_only([]),
    };
    builder
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("persona-gateway/", env!("CARGO_PKG_VERSION")))
}

/// Endings of names that are looked up within a network, or nowhere (RFC 6761, 6762, 7686, 8375, 9476, and what people and clusters use).
const INSIDE: [&str; 19] = [
    "alt",
    "cluster",
    "consul",
    "corp",
    "docker",
    "domain",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "svc",
    "test",
];

/// Whether a name is one of the public internet, by its text: what a proxy looks up for us must not be a name of its own network.
fn is_outside(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_inside = INSIDE.iter().any(|ending| {
        let above = name.strip_suffix(ending);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    });
    name.contains('.') && !name.split('.').any(str::is_empty) && !is_inside
}

/// Judges the addresses of a name; the client dials just these, so no second look-up can slip another address in.
struct GuardedResolver {
    policy: Arc<OutboundPolicy>,
    reach: AddressClass,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, reach) = (Arc::clone(&self.policy), self.reach);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = match found {
                Ok(found) => found.collect(),
                Err(_) => return Err(ResolveFailure::Unknown(name.as_str().to_owned()).into()),
            };
            if !are_dialled(&policy, reach, &found) {
                return Err(ResolveFailure::Forbidden.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn may_dial(policy: &OutboundPolicy, reach: AddressClass, address: IpAddr) -> bool {
    policy.allows(address) || (reach != AddressClass::Listed && is_public(address))
}

/// Whether a name may be dialled, by all the addresses that it has. One that leads outside and inside is refused whole:
/// that is how a name is made that passes once and leads inside next time.
fn are_dialled(policy: &OutboundPolicy, reach: AddressClass, found: &[SocketAddr]) -> bool {
    let listed = found
        .iter()
        .filter(|found| policy.allows(found.ip()))
        .count();
    !found.is_empty()
        && found
            .iter()
            .all(|found| may_dial(policy, reach, found.ip()))
        && (listed == 0 || listed == found.len())
}

/// Globally reachable by the IANA special-purpose registries (RFC 6890), judged narrowly: what
/// carries an IPv4 address inside (mapped, NAT64, 6to4, Teredo) is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // Azure's platform channel has a public number, and answers virtual machines with their secrets.
    let platform = address == Ipv4Addr::new(168, 63, 129, 16);
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            // AS112 and AMT: answered by whoever is near.
            | (192, 31, 196)
            | (192, 52, 193)
            | (192, 88, 99)
            | (192, 175, 48)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special && !platform
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    // 2000::/3 is all that is given out; out of it go 2001::/23 (Teredo, ORCHID and the like),
    // 2001:db8::/32 and 3fff::/20 (documentation), 2002::/16 (6to4) and 2620:4f:8000::/48 (AS112).
    let given_out = (0x2000..=0x3FFF).contains(&a);
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0DB8))
        || a == 0x2002
        || (a == 0x2620 && b == 0x004F && c == 0x8000)
        || (a == 0x3FFF && b < 0x1000);
    given_out && !special
}

fn max_age(headers: &header::HeaderMap) -> Option<Duration> {
    let directives: Vec<String> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives
        .iter()
        .any(|d| d == "no-store" || d == "no-cache")
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|d| d.strip_prefix("max-age="))?;
    seconds
        .trim_matches('"')
        .parse()
        .ok()
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_name_that_leads_outside_and_inside_is_refused_whole() {
        let policy = OutboundPolicy {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            ..OutboundPolicy::default()
        };
        let dialled = |reach, addresses: &[&str]| {
            let found: Vec<SocketAddr> = addresses
                .iter()
                .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
                .collect();
            are_dialled(&policy, reach, &found)
        };
        for good in [
            &["8.8.8.8"][..],
            &["8.8.8.8", "1.1.1.1", "2606:4700::1111"],
            &["10.1.2.3", "10.1.2.4"],
        ] {
            assert!(dialled(AddressClass::Public, good), "{good:?}");
        }
        for bad in [
            &[][..],
            &["8.8.8.8", "127.0.0.1"],
            &["127.0.0.1", "8.8.8.8"],
            &["2606:4700::1111", "::1"],
            &["8.8.8.8", "169.254.169.254"],
            &["8.8.8.8", "168.63.129.16"],
            &["8.8.8.8", "10.1.2.3"],
            &["10.1.2.3", "10.2.2.3"],
        ] {
            assert!(!dialled(AddressClass::Public, bad), "{bad:?}");
            assert!(!dialled(AddressClass::Listed, bad), "{bad:?}");
        }
        assert!(dialled(AddressClass::Listed, &["10.1.2.3"]));
        assert!(!dialled(AddressClass::Listed, &["8.8.8.8"]));
    }

    #[tokio::test]
    async fn without_root_certificates_plain_http_to_listed_networks_still_works() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let policy = OutboundPolicy {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            ..OutboundPolicy::default()
        };
        let outbound = Outbound::with_roots(&Arc::new(policy), &Roots::None).unwrap();
        let url = Url::parse(&format!("http://{address}/")).unwrap();
        let (plain, ()) = tokio::join!(outbound.get(&url), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET / HTTP/1.1\r\n"));
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .await
                .unwrap();
        });
        assert_eq!(plain.unwrap().body, "{}");
    }
}
