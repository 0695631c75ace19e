//! `apply`: makes tenants as bundles say.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::database::{self, Local};
use super::remote::RemoteArgs;
use crate::authoring::apply::{Applier, ApplyError, ApplyOptions};
use crate::authoring::bundle::Bundle;
use crate::authoring::plan::{Plan, PlanText};
use crate::authoring::yaml::{Source, Unreadable};
use crate::client::{Client, ClientError, NewBundle};
use crate::clock::Clock;
use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;
use crate::tenants::refusal::Refusal;

/// Makes tenants as bundles say: policy, issuers, catalogue, snippets, personas, contexts, sample users, provider key.
///
/// A bundle is YAML or JSON; `export` writes one. It is applied whole or not at all, and a second time changes nothing.
/// Sections that a bundle does not have are left as they are. Needs `DATABASE_URL` and `GATEWAY_MASTER_KEY`, as `serve` does;
/// or, with --server, the key of an admin of the tenant. Secrets that a bundle refers to are found on this machine.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    /// Bundles, one tenant each.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what the bundle does not have, from the sections that it does have.
    #[arg(long)]
    prune: bool,
    /// Print each plan as one line of JSON.
    #[arg(long)]
    json: bool,
    /// The reason, for the history.
    #[arg(long, short, default_value = "")]
    message: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// A bundle that could be parsed.
struct Read<'a> {
    file: &'a Path,
    source: Source,
    bundle: Bundle,
    /// What could not be read of the file.
    unreadable: Vec<Unreadable>,
}

/// Whether bundles are applied to the database or through a gateway.
enum Destination {
    Here(Local),
    There(Client),
}

/// Why a bundle was not applied.
enum NotApplied {
    Faults(Vec<Fault>),
    /// It was refused for another reason.
    Refused(String),
    Failed(anyhow::Error),
}

impl Read<'_> {
    /// Tells what is wrong, but nothing more of what could not be read at all.
    fn report(&self, mut faults: Vec<Fault>) -> std::io::Result<()> {
        let is_told = |fault: &Fault| {
            let mut unreadable_faults = self.unreadable.iter();
            unreadable_faults.any(|unreadable| unreadable.pointer == fault.pointer)
        };
        faults.retain(|fault| !is_told(fault));
        report(self.file, &self.source, &faults)
    }
}

/// Reads all bundles first, then applies them in order.
pub async fn run(args: ApplyArgs) -> anyhow::Result<ExitCode> {
    let mut bundles = Vec::new();
    let mut refused = false;
    for file in &args.files {
        let bytes =
            std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
        let (source, unreadable) = Source::survey(&bytes);
        for fault in &unreadable {
            writeln!(std::io::stderr(), "{}:{fault}", file.display())?;
        }
        let Some(source) = source else {
            refused = true;
            continue;
        };
        match Bundle::read(&source.value) {
            // What can be read is looked at further, so that everything is reported at once.
            Ok(bundle) => bundles.push(Read {
                file,
                source,
                bundle,
                unreadable,
            }),
            Err(faults) => {
                report(file, &source, &faults)?;
                refused = true;
            }
        }
    }
    if refused {
        return refuse();
    }
    let is_flawed = |read: &Read<'_>| {
        !(read.unreadable.is_empty()
            && read.bundle.faults.is_empty()
            && read.bundle.document_faults.is_empty())
    };
    let flawed = bundles.iter().any(is_flawed);
    let place = match place(&args).await {
        Ok(place) => place,
        // Without the rest, what is wrong with the files themselves is better than nothing.
        Err(_unreachable) if flawed => {
            for read in &bundles {
                let faults = read.bundle.faults.iter();
                let faults = faults.chain(&read.bundle.document_faults).cloned();
                read.report(faults.collect())?;
            }
            return refuse();
        }
        Err(error) => return Err(error),
    };
    // None is applied while one of them can't be.
    let dry_run = args.dry_run || flawed;
    for read in &mut bundles {
        let applied = match &place {
            Destination::Here(local) => apply_to_database(local, read, &args, dry_run).await,
            Destination::There(client) => apply_through_gateway(client, read, &args, dry_run).await,
        };
        match applied {
            Ok(_) if flawed => {}
            Ok(plan) => show(&plan, read, &args)?,
            Err(NotApplied::Faults(faults)) => {
                read.report(faults)?;
                if !flawed {
                    return refuse();
                }
            }
            Err(NotApplied::Refused(why)) => {
                writeln!(std::io::stderr(), "{}: {why}", read.file.display())?;
                return refuse();
            }
            Err(NotApplied::Failed(error)) => {
                return Err(error)
                    .with_context(|| format!("{} was not applied", read.file.display()));
            }
        }
    }
    if flawed {
        return refuse();
    }
    Ok(ExitCode::SUCCESS)
}

async fn place(args: &ApplyArgs) -> anyhow::Result<Destination> {
    Ok(match args.remote.client()? {
        Some(client) => Destination::There(client),
        None => Destination::Here(database::open().await?),
    })
}

/// Applies a bundle to the database.
async fn apply_to_database(
    local: &Local,
    read: &Read<'_>,
    args: &ApplyArgs,
    dry_run: bool,
) -> Result<Plan, NotApplied> {
    let clock = Clock::system();
    let applier = Applier {
        database: &local.database,
        clock: &clock,
        keys: &local.keys,
        find_secret: &database::find_secret,
    };
    let options = ApplyOptions {
        dry_run,
        prune: args.prune,
        message: args.message.clone(),
        ..ApplyOptions::by(database::actor())
    };
    let done = applier.apply(&read.bundle, &options).await;
    done.map_err(|error| match error {
        ApplyError::Faults { faults, .. }
        | ApplyError::Refused(
            Refusal::Invalid(faults) | Refusal::DocumentInvalid { faults, .. },
        ) => NotApplied::Faults(faults),
        error => NotApplied::Failed(error.into()),
    })
}

/// Has a gateway apply a bundle to its database. Secrets are found here and sent along.
async fn apply_through_gateway(
    client: &Client,
    read: &mut Read<'_>,
    args: &ApplyArgs,
    dry_run: bool,
) -> Result<Plan, NotApplied> {
    let mut secrets = BTreeMap::new();
    let mut faults = Vec::new();
    for (at, reference) in read.bundle.wanted_secrets() {
        match database::find_secret(reference) {
            Ok(secret) => {
                secrets.insert(at, secret);
            }
            Err(why) => faults.push(Fault::new(at, Wrong::SecretNotGiven(why))),
        }
    }
    if !faults.is_empty() {
        return Err(NotApplied::Faults(faults));
    }
    let bundle = NewBundle {
        bundle: read.source.value.clone(),
        secrets,
        dry_run,
        prune: args.prune,
        message: args.message.clone(),
    };
    let plan = client.apply(&bundle).await.map_err(not_applied)?;
    serde_json::from_value(plan).map_err(|error| NotApplied::Failed(error.into()))
}

/// What the gateway has against the bundle, with its places.
fn not_applied(error: ClientError) -> NotApplied {
    match error {
        ClientError::Problem(problem) if problem.errors.is_empty() => {
            let why = problem.detail.as_ref().unwrap_or(&problem.title);
            NotApplied::Refused(format!("{why} ({}, {})", problem.code, problem.status))
        }
        ClientError::Problem(problem) => {
            let faults = problem.errors.iter().map(|fault| {
                let at = fault.pointer.strip_prefix("/bundle");
                let words = Wrong::Elsewhere.worded(&fault.message);
                Fault::new(at.unwrap_or(&fault.pointer), words)
            });
            NotApplied::Faults(faults.collect())
        }
        error => NotApplied::Failed(error.into()),
    }
}

fn show(plan: &Plan, read: &Read<'_>, args: &ApplyArgs) -> anyhow::Result<()> {
    if args.json {
        super::say(serde_json::to_string(plan)?)?;
        return Ok(());
    }
    let file = read.file.display().to_string();
    let shown = PlanText {
        plan,
        colour: super::wants_colour(),
        source: Some((&file, &read.source)),
    };
    write!(std::io::stdout(), "{shown}")?;
    if args.dry_run && !plan.steps.is_empty() {
        super::say("  (dry run: nothing was changed)")?;
    }
    Ok(())
}

fn refuse() -> anyhow::Result<ExitCode> {
    writeln!(std::io::stderr(), "Nothing of it was applied.")?;
    Ok(ExitCode::from(2))
}

/// One line a fault, `file:line:column: what`, in the form that editors jump to.
fn report(file: &Path, source: &Source, faults: &[Fault]) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    for fault in faults {
        writeln!(err, "{}:{}", file.display(), source.describe(fault))?;
    }
    Ok(())
}
