//! A way over TCP to a database, which can go silent: nothing comes through any more, and no error either.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite, copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

/// The way to the server of a URL.
pub(crate) struct Wire {
    address: SocketAddr,
    target: Url,
    state: watch::Sender<State>,
    silent: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Connections of earlier ages are silent.
    age: u32,
    /// New ones are, too.
    cut: bool,
}

impl Wire {
    /// Nothing listens there yet.
    pub(crate) async fn closed(target: &SecretString) -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: probe.local_addr().unwrap(),
            target: Url::parse(target.expose_secret()).unwrap(),
            state: watch::Sender::default(),
            silent: Arc::default(),
        }
    }

    /// Open from the start.
    pub(crate) async fn to(target: &SecretString) -> Self {
        let wire = Self::closed(target).await;
        wire.open().await;
        wire
    }

    /// The target's URL by this way.
    pub(crate) fn url(&self) -> SecretString {
        let mut url = self.target.clone();
        url.set_query(None);
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        SecretString::from(url.to_string())
    }

    /// Listens.
    pub(crate) async fn open(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let target = self.target.clone();
        let state = self.state.clone();
        let silent = self.silent.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, state, silent) = (target.clone(), state.subscribe(), silent.clone());
                tokio::spawn(async move {
                    let folder = target.query_pairs().find(|(name, _)| name == "host");
                    if let Some((_, folder)) = folder {
                        let path = format!("{folder}/.s.PGSQL.5432");
                        let server = UnixStream::connect(path).await.unwrap();
                        carry(client, server, state, &silent).await;
                    } else {
                        let host = target.host_str().unwrap();
                        let port = target.port().unwrap_or(5432);
                        let server = TcpStream::connect((host, port)).await.unwrap();
                        carry(client, server, state, &silent).await;
                    }
                });
            }
        });
    }

    /// All connections of now go silent; new ones work. As when their processes are stopped.
    pub(crate) fn silence(&self) {
        self.state.send_modify(|state| state.age += 1);
    }

    /// All connections go silent, new ones too. As when the host is gone.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| {
            state.age += 1;
            state.cut = true;
        });
    }

    /// New connections work again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| {
            state.age += 1;
            state.cut = false;
        });
    }

    /// How many silent connections the client has not given up.
    pub(crate) fn silent(&self) -> usize {
        self.silent.load(Ordering::SeqCst)
    }
}

async fn carry(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    silent: &AtomicUsize,
) {
    let born = *state.borrow_and_update();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server), if !born.cut => return,
        _ = state.wait_for(|now| born.cut || now.age != born.age) => {}
    }
    silent.fetch_add(1, Ordering::SeqCst);
    // What is sent is taken, and goes nowhere.
    _ = copy(&mut client, &mut sink()).await;
    silent.fetch_sub(1, Ordering::SeqCst);
}
