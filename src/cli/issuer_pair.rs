//! `issuer-pair`: whose the tokens of an issuer for an audience are.

use std::process::ExitCode;

use super::database;
use crate::clock::Clock;
use crate::tenants::operators::Pair;

/// Whose the tokens of an issuer for an audience are, where nobody can prove it. For operators.
///
/// A pair that a tenant registered over the API is pending, and its tokens are refused, until a token of the issuer proves whose
/// it is, or you say so here. What `apply` writes to the database is yours to say already.
#[derive(Debug, clap::Subcommand)]
pub enum IssuerPairCommand {
    /// Lists the pairs of all tenants.
    List(ListArgs),
    /// Gives a pair to a tenant that has it pending.
    Assign(PairArgs),
    /// Takes a pair from a tenant: it is pending again.
    Withdraw(PairArgs),
}

/// Which to list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those that are pending.
    #[arg(long)]
    pending: bool,
}

/// Which pair.
#[derive(Debug, clap::Args)]
pub struct PairArgs {
    /// The tenant's name in URLs.
    #[arg(long)]
    tenant: String,
    /// The `iss` of the tokens.
    #[arg(long)]
    issuer: String,
    /// Their `aud`.
    #[arg(long)]
    audience: String,
}

impl From<PairArgs> for Pair {
    fn from(args: PairArgs) -> Self {
        Self {
            tenant: args.tenant,
            issuer: args.issuer,
            audience: args.audience,
        }
    }
}

pub async fn run(command: IssuerPairCommand) -> anyhow::Result<ExitCode> {
    match command {
        IssuerPairCommand::List(args) => list(args).await,
        IssuerPairCommand::Assign(args) => change(&args.into(), true).await,
        IssuerPairCommand::Withdraw(args) => change(&args.into(), false).await,
    }
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let mut tx = local.database.platform().await?;
    let pairs = tx.pairs_page(args.pending, None, i64::MAX).await?;
    tx.commit().await?;
    for pair in pairs {
        let state = match pair.claimed_by {
            Some(by) => format!("claimed ({})", by.as_str()),
            None => "pending".into(),
        };
        super::say(format_args!(
            "{}  {}  {}  {state}",
            pair.tenant, pair.issuer, pair.audience
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(pair: &Pair, assign: bool) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let operator = local.operator(&clock, &label);
    let done = if assign {
        operator.assign_pair(pair).await
    } else {
        operator.withdraw_pair(pair).await
    };
    done.map_err(|refusal| super::refused(&refusal))?;
    let verb = if assign {
        "Assigned to"
    } else {
        "Withdrawn from"
    };
    super::say(format_args!("{verb} {}.", pair.tenant))?;
    Ok(ExitCode::SUCCESS)
}
