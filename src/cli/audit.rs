//! `audit`: exports a tenant's audit trail, and verifies one, also far from any database.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::database;
use crate::clock::Clock;
use crate::crypto::sign::VerifyingKey;
use crate::domain::ids::TenantId;
use crate::store::Database;
use crate::store::audit::PLATFORM;
use crate::tenants::audit::chain::{Flaw, Verified};
use crate::tenants::audit::export::{Export, FileVerifier, verify_stored};

/// Longest line of an export, bytes; a row's details have no limit of their own.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The audit trail: who changed what.
#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Writes a whole trail, a tenant's or the platform's, as NDJSON on standard output, with its signed checkpoints.
    Export(ExportArgs),
    /// Verifies an export, without a database; or, with --tenant or --platform, a trail in the database.
    ///
    /// Names the first row that was changed, removed, inserted or moved, and ends with 1 then. Signatures of checkpoints are
    /// checked against the public keys that you give: have noted them before (`audit keys`), since who can rewrite the trail
    /// can also tell you other keys.
    Verify(VerifyArgs),
    /// Prints the public keys that verify checkpoints signed with the master keys, the one that signs now first.
    Keys,
}

/// The tenant whose trail it is.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The tenant, by its name in URLs.
    #[arg(
        long,
        required_unless_present = "platform",
        conflicts_with = "platform"
    )]
    tenant: Option<String>,
    /// What was done to the installation itself: tenants, shared issuers, accounts.
    #[arg(long)]
    platform: bool,
}

/// What to verify.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// An export; `-` is standard input.
    #[arg(
        required_unless_present_any = ["tenant", "platform"],
        conflicts_with_all = ["tenant", "platform"]
    )]
    file: Option<PathBuf>,
    /// The tenant in the database, by its name in URLs.
    #[arg(long)]
    #[arg(conflicts_with = "platform")]
    tenant: Option<String>,
    /// The platform's own trail in the database.
    #[arg(long)]
    platform: bool,
    /// A public key, 64 hexadecimal digits; may be given several times. In the database, those of the master keys count too.
    #[arg(long = "public-key", value_name = "HEX", value_parser = public_key)]
    public_keys: Vec<VerifyingKey>,
}

fn public_key(text: &str) -> Result<VerifyingKey, String> {
    VerifyingKey::parse(text).ok_or_else(|| "must be 64 hexadecimal digits".to_owned())
}

pub async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Export(args) => export(args).await,
        AuditCommand::Verify(args) => match &args.tenant {
            tenant if tenant.is_some() || args.platform => {
                verify_trail(tenant.as_deref(), args.public_keys).await
            }
            _ => verify_file(
                args.file.as_deref().unwrap_or(Path::new("-")),
                args.public_keys,
            ),
        },
        AuditCommand::Keys => keys().await,
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let tenant = find(&local.database, args.tenant.as_deref()).await?;
    let mut export = Export::new(local.database, tenant, Clock::system().now());
    let mut out = std::io::stdout().lock();
    while let Some(text) = export.next().await? {
        out.write_all(text.as_bytes())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn keys() -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    for key in local.keys.verifying_keys()? {
        super::say(format_args!("{}  {}", key.id(), key.to_hex()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify_trail(tenant: Option<&str>, more: Vec<VerifyingKey>) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let tenant = find(&local.database, tenant).await?;
    let mut keys = local.keys.verifying_keys()?;
    keys.extend(more);
    print_verdict(&verify_stored(&local.database, tenant, keys).await?)
}

fn verify_file(path: &Path, keys: Vec<VerifyingKey>) -> anyhow::Result<ExitCode> {
    let name = path.display();
    let opened: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("{name} can't be read"))?)
    };
    let mut reader = BufReader::with_capacity(256 * 1024, opened);
    let mut verifier = FileVerifier::new(keys);
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let read = reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("{name} can't be read"))?;
        if read == 0 {
            break;
        }
        number += 1;
        verifier
            .line(line.trim_ascii())
            .with_context(|| format!("{name}:{number}"))?;
    }
    print_verdict(&verifier.finish().with_context(|| name.to_string())?)
}

fn print_verdict(verdict: &Result<Verified, Flaw>) -> anyhow::Result<ExitCode> {
    let verified = match verdict {
        Ok(verified) => verified,
        Err(flaw) => {
            writeln!(std::io::stderr(), "BAD: {flaw}.")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    super::say(format_args!(
        "Good. Rows: {}, checkpoints: {}.",
        verified.rows, verified.checkpoints
    ))?;
    if verified.signatures < verified.checkpoints {
        super::say("The signatures of the checkpoints were not checked: give --public-key.")?;
    }
    if verified.marked_up_to < verified.rows {
        super::say(format_args!(
            "Rows after {} have no checkpoint yet.",
            verified.marked_up_to
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose trail: a tenant's, by its name in URLs, or the platform's.
async fn find(database: &Database, slug: Option<&str>) -> anyhow::Result<TenantId> {
    let Some(slug) = slug else {
        return Ok(PLATFORM);
    };
    let mut platform = database.platform().await?;
    let tenant = platform.tenant_by_slug(slug).await?;
    platform.commit().await?;
    match tenant {
        Some(tenant) => Ok(tenant),
        None => bail!("there is no tenant `{slug}`"),
    }
}
