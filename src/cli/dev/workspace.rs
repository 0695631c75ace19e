//! Where a `dev` runs, looked at before anything is made: its folder, which belongs to one at a time, and its ports.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::crypto::digest::sha256_hex;
use crate::dev::postgres;

/// The gateway, its operations listener, the issuer, the emulator and the page.
pub(super) const PORTS: [&str; 5] = ["gateway", "operations", "issuer", "Anam's stand-in", "page"];
/// How far the last port is from the first.
const SPAN: u16 = 4;
/// The last port after which there are as many as are wanted.
pub(super) const LAST_FIRST_PORT: u16 = u16::MAX - SPAN;
/// From one set of ports to the next that is looked at.
const STEP: u16 = 10;

/// Where data are kept when nobody says otherwise: `./.data`; as root, whose own folders no database server can enter, a folder of the
/// working directory's own below /var/lib.
pub(super) fn default_folder() -> anyhow::Result<PathBuf> {
    let here = Path::new(".data");
    let below = postgres::shared_folder()?;
    let Some(below) = below else {
        return Ok(here.to_path_buf());
    };
    let directory = std::env::current_dir().context("there is no working directory")?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    let digest = sha256_hex(directory.as_os_str().as_encoded_bytes());
    let digest: String = digest.chars().take(8).collect();
    Ok(below.join(format!("{name}-{digest}")))
}

/// The folder of this `dev`, as long as it runs; the end of the process gives it back, whatever ends it.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
}

impl Claim {
    /// Takes the folder, or says who has it.
    pub(super) fn take(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        std::fs::create_dir_all(folder).with_context(|| {
            format!("the folder {shown} can't be made; `--data FOLDER` keeps the data elsewhere")
        })?;
        let path = folder.join("dev.lock");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = opened.with_context(|| {
            format!("nothing can be written in {shown}; `--data FOLDER` keeps the data elsewhere")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                // Whoever has it may be about to write it.
                _ = file.read_to_string(&mut who);
                bail!(
                    "another `dev` ({}) keeps its data in {shown}. Stop it, or give this one a folder and ports of its own: \
                     `persona-gateway dev --data FOLDER --port 0`",
                    if who.is_empty() {
                        "starting"
                    } else {
                        who.trim()
                    }
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} can't be locked", path.display()));
            }
        }
        let mut claim = Self { file };
        claim.write_owner(&format!("process {}", std::process::id()))?;
        Ok(claim)
    }

    pub(super) fn write_owner(&mut self, who: &str) -> anyhow::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(who.as_bytes())?;
        Ok(())
    }
}

/// Whether all ports from `first` on are free; 0 takes free ones.
pub(super) fn ports_are_free(host: IpAddr, first: u16) -> anyhow::Result<()> {
    if first == 0 {
        return Ok(());
    }
    for (offset, name) in (0_u16..).zip(PORTS) {
        let port = first.saturating_add(offset);
        if let Err(error) = is_free(host, port) {
            let others = (1..=100_u16)
                .filter_map(|n| first.checked_add(n.checked_mul(STEP)?))
                .filter(|other| *other <= LAST_FIRST_PORT)
                .find(|other| {
                    (0..=SPAN).all(|offset| is_free(host, other.saturating_add(offset)).is_ok())
                });
            let advice = others.map_or_else(
                || "`--port 0` takes free ones".to_owned(),
                |other| {
                    format!(
                        "`--port {other}` takes {other} to {}, and `--port 0` any that are free",
                        other.saturating_add(SPAN)
                    )
                },
            );
            bail!("port {port} ({name}) can't be used: {error}. {advice}");
        }
    }
    Ok(())
}

fn is_free(host: IpAddr, port: u16) -> std::io::Result<()> {
    TcpListener::bind(SocketAddr::new(host, port)).map(drop)
}
