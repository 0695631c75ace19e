//! A way over TCP to a database, which can go silent: nothing comes through any more, and no error either.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite, copy, copy_bidirectional, sink};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use url::Url;

use super::wait::until;

const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the server of a URL.
pub(crate) struct Wire {
    address: SocketAddr,
    target: Url,
    state: watch::Sender<State>,
    silent: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
struct State {
    /// Held by each connection that is carried. Those that hold an earlier one are silent.
    carried: Arc<()>,
    /// New ones are silent, too.
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
            made: Arc::default(),
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
        let made = self.made.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                made.fetch_add(1, Ordering::SeqCst);
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

    /// All connections of now are silent when this returns; new ones work. As when their processes are stopped.
    pub(crate) async fn silence(&self) {
        let cut = self.state.borrow().cut;
        self.turn(cut).await;
    }

    /// All connections are silent when this returns, new ones too. As when the host is gone.
    pub(crate) async fn cut(&self) {
        self.turn(true).await;
    }

    /// New connections work again.
    pub(crate) async fn mend(&self) {
        self.turn(false).await;
    }

    async fn turn(&self, cut: bool) {
        let carried = Arc::default();
        let before = self.state.send_replace(State { carried, cut });
        until("nothing is carried any more", PATIENCE, || async {
            (Arc::strong_count(&before.carried) == 1).then_some(())
        })
        .await;
    }

    /// How many connections were made so far.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
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
    let born = state.borrow_and_update().clone();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server), if !born.cut => return,
        _ = state.wait_for(|now| born.cut || !Arc::ptr_eq(&now.carried, &born.carried)) => {}
    }
    drop(born);
    silent.fetch_add(1, Ordering::SeqCst);
    // What is sent is taken, and goes nowhere.
    _ = copy(&mut client, &mut sink()).await;
    silent.fetch_sub(1, Ordering::SeqCst);
}
