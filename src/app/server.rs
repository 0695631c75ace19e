//! The two listeners.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, Error, HttpServer, web};
use tokio::net::{TcpSocket, TcpStream};

use super::StartError;
use super::descriptors::connections_of_worker;
use super::inside::inside;
use super::unparsed::{Connection, RefusalContext};
use crate::api;
use crate::config::{ServerSettings, Settings};
use crate::console;
use crate::console::design::ShowsDesign;
use crate::console::talk::setup::Setup;
use crate::gateway::Gateway;
use crate::lifecycle::Lifecycle;
use crate::store::Database;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;
use crate::tenants::access::Origins;
use crate::web::address::{TrustedProxies, limit_address};
use crate::web::body::{AdminBodyLimits, BodyLimits};
use crate::web::cors::{OwnOrigin, cors};
use crate::web::path::readable;
use crate::web::trace::trace;
use crate::web::turn::strangers_wait;

/// What handlers and middleware are given.
pub(super) struct Services {
    pub(super) gateway: Arc<Gateway>,
    pub(super) origins: Arc<Origins>,
    pub(super) lifecycle: Lifecycle,
    pub(super) metrics: Metrics,
    pub(super) proxies: TrustedProxies,
    pub(super) databases: [Database; 4],
    pub(super) traces: Traces,
}

/// The two ports, taken but not served yet.
pub(super) struct Listeners {
    public: TcpListener,
    ops: TcpListener,
    /// The public listener's address.
    pub(super) address: SocketAddr,
    /// The operations listener's address.
    pub(super) ops_address: SocketAddr,
}

impl Listeners {
    /// Takes both, or says which one somebody else has.
    pub(super) fn open(settings: &ServerSettings) -> Result<Self, StartError> {
        let public = SocketAddr::new(settings.host, settings.port);
        let ops = SocketAddr::new(settings.ops_host, settings.ops_port);
        let (public, address) = listen(public, "server.port")?;
        let (ops, ops_address) = listen(ops, "server.ops_port")?;
        Ok(Self {
            public,
            ops,
            address,
            ops_address,
        })
    }

    /// The public listener's door.
    pub(super) fn door(&self) -> Result<Door, StartError> {
        let listener = self.public.try_clone();
        listener.map(Door).map_err(|source| StartError::Listen {
            address: self.address,
            setting: "server.port",
            source,
        })
    }

    /// The servers of both.
    pub(super) fn serve(
        self,
        faces: &Services,
        settings: &Settings,
    ) -> Result<(Server, Server), StartError> {
        let failed = |address, setting| {
            move |source| StartError::Listen {
                address,
                setting,
                source,
            }
        };
        let public = public(faces, settings, self.public, self.address)
            .map_err(failed(self.address, "server.port"))?;
        let ops = ops(faces, self.ops).map_err(failed(self.ops_address, "server.ops_port"))?;
        Ok((public, ops))
    }
}

/// Where connections are made: another handle of the public listener.
#[derive(Debug)]
pub(super) struct Door(TcpListener);

impl Door {
    /// No more connections are made. A listener that is closed resets those that were made and not accepted yet, and a client can't know
    /// whether its request was read. So the kernel drops what begins new ones first, until the listener is closed; a client that
    /// tries to connect meanwhile is refused then, and can safely go elsewhere.
    pub(super) fn close(self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(&self.0).attach_filter(&linux::NO_SYN) {
            tracing::debug!(%error, "new connections are made until the listener is closed");
        }
        drop(self);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use socket2::SockFilter;

    /// Drops TCP segments that begin a connection. For a TCP socket, a filter sees the segment from its header on.
    pub(super) static NO_SYN: [SockFilter; 4] = [
        // ldb [13]: the flags.
        SockFilter::new(0x30, 0, 0, 13),
        // jset SYN
        SockFilter::new(0x45, 0, 1, 0x02),
        // ret 0: drop
        SockFilter::new(0x06, 0, 0, 0),
        // ret all: keep
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
}

/// The origin at which browsers find the gateway.
fn own_origin(settings: &ServerSettings) -> OwnOrigin {
    let url = settings.public_url.as_ref();
    OwnOrigin(url.map(|url| url.origin().ascii_serialization()))
}

/// The public listener.
fn public(
    faces: &Services,
    settings: &Settings,
    listener: TcpListener,
    bound: SocketAddr,
) -> std::io::Result<Server> {
    let gateway = web::Data::from(faces.gateway.clone());
    let origins = web::Data::from(faces.origins.clone());
    let clock = web::Data::new(faces.gateway.clock.clone());
    let lifecycle = web::Data::new(faces.lifecycle.clone());
    let metrics = web::Data::new(faces.metrics.clone());
    let traces = web::Data::new(faces.traces.clone());
    let proxies = web::Data::new(faces.proxies.clone());
    let own_origin = web::Data::new(own_origin(&settings.server));
    let limits = web::Data::new(BodyLimits {
        max_bytes: settings.server.max_body_bytes,
        timeout: settings.server.body_timeout,
    });
    let design = web::Data::new(ShowsDesign(settings.server.shows_design));
    let admin_limits = web::Data::new(AdminBodyLimits(BodyLimits {
        max_bytes: settings.server.max_admin_body_bytes,
        timeout: settings.server.body_timeout,
    }));
    let talk = web::Data::new(Setup::new(&settings.anam.base_url, &settings.console));
    let given = move |config: &mut ServiceConfig| {
        config
            .app_data(gateway.clone())
            .app_data(origins.clone())
            .app_data(clock.clone())
            .app_data(lifecycle.clone())
            .app_data(metrics.clone())
            .app_data(traces.clone())
            .app_data(proxies.clone())
            .app_data(own_origin.clone())
            .app_data(limits.clone())
            .app_data(admin_limits.clone())
            .app_data(design.clone());
    };
    let service = move || {
        let for_console = {
            let given = given.clone();
            inside(move || {
                App::new()
                    .configure(given.clone())
                    .configure(api::routes)
                    .default_service(web::to(api::not_found))
            })
        };
        App::new()
            .configure(given.clone())
            .app_data(for_console)
            .app_data(talk.clone())
            .wrap(from_fn(readable))
            .wrap(from_fn(limit_address))
            .wrap(from_fn(cors))
            .wrap(from_fn(strangers_wait))
            .wrap(from_fn(trace))
            .configure(api::routes)
            .configure(console::routes)
            .default_service(web::to(api::not_found))
    };
    let desk = Arc::new(RefusalContext {
        clock: faces.gateway.clock.clone(),
        metrics: faces.metrics.clone(),
        max_body: settings.server.max_body_bytes,
        max_admin_body: settings.server.max_admin_body_bytes,
    });
    let (keep_alive, head_timeout) = (settings.server.keep_alive, settings.server.client_timeout);
    let builder = Server::build()
        .workers(workers(settings))
        .max_concurrent_connections(connections_of_worker(
            workers(settings),
            database_connections(settings),
        ))
        .shutdown_timeout(settings.server.shutdown_timeout.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    // What actix_web's own HttpServer does, but for the connections: see `unread`.
    let server = builder.listen("public", listener, move || {
        let stopping = stopping.clone();
        let app = service()
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(head_timeout)
            .client_disconnect_timeout(LINGER)
            .local_addr(bound)
            .expect(fn_service({
                let desk = desk.clone();
                move |request| std::future::ready(desk.admit_body(request))
            }))
            // It only matters to who makes addresses of requests, which nobody does here.
            .finish(map_config(app, |()| AppConfig::default()));
        let desk = desk.clone();
        fn_service(move |io: TcpStream| {
            let peer = io.peer_addr().ok();
            let connection = Connection::new(io, desk.clone());
            std::future::ready(Ok::<_, DispatchError>((connection, Protocol::Http1, peer)))
        })
        .and_then(http)
    });
    Ok(server?.run())
}

/// How long the end of a connection may take.
const LINGER: Duration = Duration::from_secs(1);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 2_048;

fn listen(
    address: SocketAddr,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart need not wait for connections of the last run that are still closing.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    open().map_err(|source| StartError::Listen {
        address,
        setting,
        source,
    })
}

/// The operators' listener.
fn ops(faces: &Services, listener: TcpListener) -> std::io::Result<Server> {
    let gateway = web::Data::from(faces.gateway.clone());
    let lifecycle = web::Data::new(faces.lifecycle.clone());
    let databases = web::Data::new(api::ops::Databases(faces.databases.to_vec()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(gateway.clone())
            .app_data(databases.clone())
            .app_data(lifecycle.clone())
            .configure(api::ops::routes)
            .default_service(web::to(api::not_found))
    })
    .workers(1)
    .shutdown_timeout(1)
    .disable_signals();
    Ok(server.listen(listener)?.run())
}

/// Runs a listener to its end.
pub(super) async fn serve(server: Server) {
    if let Err(error) = server.await {
        tracing::error!(%error, "a listener failed");
    }
}

/// At most, with those that were given up and the one that listens.
fn database_connections(settings: &Settings) -> u64 {
    let settings = &settings.database;
    let kinds = [
        settings.own_connections,
        settings.mint_connections,
        settings.user_connections,
        settings.admin_connections,
    ];
    kinds.into_iter().map(u64::from).sum::<u64>() + 2
}

fn workers(settings: &Settings) -> usize {
    match settings.server.workers {
        0 => super::processors(),
        workers => workers,
    }
}
