//! Where `dev` keeps its data: a Postgres of its own, or the one of `DATABASE_URL`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{DatabaseUrl, DatabaseUrlFault};
use crate::crypto::token::random_token;
use crate::dev::postgres::{self, Cluster};
use crate::dev::private_file;
use crate::store::migrate::ensure_database;

/// The database in the private cluster, and the role that the gateway logs in as.
const DATABASE: &str = "persona_gateway";
const LOGIN: &str = "persona_gateway_app";

/// The data of one `dev`.
pub(super) struct Data {
    cluster: Option<Cluster>,
    /// For migrating, and for people with psql.
    pub(super) owner_url: DatabaseUrl,
    /// For the gateway.
    pub(super) login_url: DatabaseUrl,
    /// Seals secrets; kept, or they could not be opened at the next start.
    pub(super) master_key: SecretString,
}

impl Data {
    /// Opens what is there, or starts afresh.
    pub(super) async fn open(
        folder: &Path,
        fresh: bool,
        env: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let postgres_folder = folder.join("pg");
        let given = env.get("DATABASE_URL").filter(|url| !url.is_empty());
        if fresh {
            if given.is_some() {
                bail!(
                    "--fresh would have to empty the database of DATABASE_URL: drop it yourself, or unset DATABASE_URL"
                );
            }
            let erased = postgres_folder.clone();
            tokio::task::spawn_blocking(move || postgres::erase(&erased)).await??;
            for kept in ["admin-key", "admin-password", "master-key"] {
                match std::fs::remove_file(folder.join(kept)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
        let (cluster, owner_url, login_url) = if let Some(url) = given {
            let owner = parsed(url).context("DATABASE_URL")?;
            owner.check_files().context("DATABASE_URL")?;
            let login = owner.as_login(LOGIN, &login_password(folder)?);
            (None, owner, login)
        } else {
            let cluster =
                tokio::task::spawn_blocking(move || Cluster::persistent(&postgres_folder))
                    .await??;
            ensure_database(&parsed(&cluster.url("postgres"))?, DATABASE).await?;
            let owner = parsed(&cluster.url(DATABASE))?;
            let login = parsed(&cluster.url_as(LOGIN, DATABASE))?;
            (Some(cluster), owner, login)
        };
        let master_key = private_file::keep(&folder.join("master-key"), || {
            let random = random_token("").map_err(std::io::Error::other)?;
            // 32 bytes as base64 want a padding that a token has not.
            Ok(format!(
                "{}=",
                random.expose_secret().replace('-', "+").replace('_', "/")
            ))
        })?;
        Ok(Self {
            cluster,
            owner_url,
            login_url,
            master_key: SecretString::from(master_key),
        })
    }

    /// Stops the private cluster.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        if let Some(cluster) = self.cluster {
            tokio::task::spawn_blocking(move || cluster.stop()).await??;
        }
        Ok(())
    }
}

fn parsed(url: &str) -> Result<DatabaseUrl, DatabaseUrlFault> {
    DatabaseUrl::parse(&SecretString::from(url))
}

/// The password of the role that the gateway logs in as, made once.
fn login_password(folder: &Path) -> anyhow::Result<SecretString> {
    let password = private_file::keep(&folder.join("login-password"), || {
        Ok(random_token("")
            .map_err(std::io::Error::other)?
            .expose_secret()
            .to_owned())
    })?;
    Ok(SecretString::from(password))
}
