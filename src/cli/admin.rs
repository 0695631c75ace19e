//! `admin`: people who administer.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::database;
use crate::clock::Clock;
use crate::crypto::password::Passwords;
use crate::domain::email::Email;
use crate::domain::role::Role;
use crate::tenants::refusal::Refusal;

/// People who administer tenants or run the installation. This is how the first ones get in; they invite the others.
#[derive(Debug, clap::Subcommand)]
pub enum AdminCommand {
    /// Makes somebody a member of a tenant, an operator of the installation, or both.
    ///
    /// The password is read without showing it, or read as one line from standard input. With --invite there is none:
    /// the person chooses it when they send the printed token to POST /v1/admin/invitations:accept, within seven days.
    #[command(
        after_help = "Examples:\n  persona-gateway admin create --email ann@example.com --tenant acme --role owner\n  \
                      persona-gateway admin create --email bob@example.com --tenant acme --role editor --invite\n  \
                      persona-gateway admin create --email ops@example.com --operator < password.txt"
    )]
    Create(CreateArgs),
    /// Lists people: those of one tenant, or all who have an account here, operators too.
    #[command(
        after_help = "Examples:\n  persona-gateway admin list --tenant acme\n  persona-gateway admin list --json"
    )]
    List(ListArgs),
    /// Sets somebody's password, read like that of `create`. All their sessions end.
    SetPassword(EmailArgs),
    /// Removes somebody's second factor, after they lost the app and the recovery codes. All their sessions end.
    RemoveSecondFactor(EmailArgs),
    /// Lets somebody sign in nowhere any more. All their sessions end.
    Disable(EmailArgs),
    /// Lets somebody sign in again.
    Enable(EmailArgs),
}

/// Somebody to make.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Their e-mail address, with which they sign in.
    #[arg(long)]
    email: String,
    /// The tenant, by its name in URLs.
    #[arg(long, required_unless_present = "operator", requires = "role")]
    tenant: Option<String>,
    /// What they may there: viewer, editor, publisher or owner.
    #[arg(long, value_parser = parse_role, requires = "tenant")]
    role: Option<Role>,
    /// They run the installation: tenants and shared issuers. An account that exists gets this password.
    #[arg(long)]
    operator: bool,
    /// Prints an invitation instead of asking for a password.
    #[arg(long, conflicts_with = "operator", requires = "tenant")]
    invite: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Whom to list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only members of this tenant, by its name in URLs.
    #[arg(long)]
    tenant: Option<String>,
    /// Prints JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Whose account.
#[derive(Debug, clap::Args)]
pub struct EmailArgs {
    /// Their e-mail address.
    #[arg(long)]
    email: String,
}

/// A role's name, as clap wants to read it.
pub(super) fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "must be viewer, editor, publisher or owner".to_owned())
}

pub async fn run(command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Create(args) if args.invite => invite(args).await,
        AdminCommand::Create(args) => create(args).await,
        AdminCommand::List(args) => list(args).await,
        AdminCommand::SetPassword(args) => set_password(&args.email).await,
        AdminCommand::RemoveSecondFactor(args) => remove_second_factor(&args.email).await,
        AdminCommand::Disable(args) => set_disabled(&args.email, true).await,
        AdminCommand::Enable(args) => set_disabled(&args.email, false).await,
    }
}

async fn invite(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let email = parse_email(&args.email)?;
    let local = database::open().await?;
    let slug = args.tenant.unwrap_or_default();
    local.tenant(&slug).await?;
    let (clock, label) = (Clock::system(), database::actor());
    let token = local
        .operator(&clock, &label)
        .invite(&slug, &email, args.role.unwrap_or(Role::Viewer))
        .await
        .map_err(|refusal| super::refused(&refusal))?;
    if args.json {
        super::say(
            json!({ "email": email.as_str(), "tenant": slug, "invitation": token.expose_secret() }),
        )?;
    } else {
        writeln!(
            std::io::stderr(),
            "Hand this to {email}: it is good for seven days and not shown again."
        )?;
        super::say(token.expose_secret())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let email = parse_email(&args.email)?;
    let local = database::open().await?;
    if let Some(slug) = &args.tenant {
        local.tenant(slug).await?;
    }
    let passwords = Passwords::new()?;
    let (clock, label) = (Clock::system(), database::actor());
    let operator = local.operator(&clock, &label);
    if let (Some(slug), Some(role)) = (&args.tenant, args.role) {
        let password = read_password(&email)?;
        operator
            .add_member(&passwords, slug, &email, role, password)
            .await?;
        if args.operator {
            operator.make_operator(&passwords, &email, None).await?;
        }
    } else {
        let password = read_password(&email)?;
        operator
            .make_operator(&passwords, &email, Some(password))
            .await?;
    }
    if args.json {
        super::say(json!({
            "email": email.as_str(), "tenant": args.tenant, "role": args.role.map(Role::as_str), "operator": args.operator,
        }))?;
    } else {
        let place = match (&args.tenant, args.role) {
            (Some(slug), Some(role)) => format!(" is {role} of {slug}"),
            _ => " runs this installation".to_owned(),
        };
        super::say(format_args!("{email}{place}."))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let local = database::open().await?;
    let tenant = match &args.tenant {
        Some(slug) => Some(local.tenant(slug).await?),
        None => None,
    };
    let mut tx = local.database.platform().await?;
    let people = tx.accounts(tenant).await?;
    tx.commit().await?;
    for account in people {
        if args.json {
            let tenants: Vec<Value> = account
                .tenants
                .iter()
                .map(|place| json!({ "tenant": place.slug, "role": place.role, "singleSignOn": place.by_sso }))
                .collect();
            super::say(json!({
                "email": account.email, "name": account.name, "operator": account.operator, "disabled": account.disabled,
                "hasPassword": account.has_password, "tenants": tenants,
            }))?;
            continue;
        }
        let mut places: Vec<String> = account
            .tenants
            .iter()
            .map(|place| {
                let by = if place.by_sso {
                    " (single sign-on)"
                } else {
                    ""
                };
                format!("{} of {}{by}", place.role, place.slug)
            })
            .collect();
        if account.operator {
            places.push("operator".to_owned());
        }
        if account.disabled {
            places.push("disabled".to_owned());
        }
        if places.is_empty() {
            places.push("of no tenant".to_owned());
        }
        super::say(format_args!("{}  {}", account.email, places.join(", ")))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn set_password(email: &str) -> anyhow::Result<ExitCode> {
    let email = parse_email(email)?;
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let password = read_password(&email)?;
    local
        .operator(&clock, &label)
        .set_password(&Passwords::new()?, &email, password)
        .await?;
    super::say(format_args!(
        "{email} has another password; their sessions have ended."
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn remove_second_factor(email: &str) -> anyhow::Result<ExitCode> {
    let email = parse_email(email)?;
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    let removed = local
        .operator(&clock, &label)
        .remove_second_factor(&email)
        .await;
    match removed {
        Ok(()) => {}
        Err(Refusal::NotFound) => bail!("{email} has no second factor here"),
        Err(refusal) => return Err(super::refused(&refusal)),
    }
    super::say(format_args!(
        "{email} has no second factor any more; their sessions have ended."
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn set_disabled(email: &str, disabled: bool) -> anyhow::Result<ExitCode> {
    let email = parse_email(email)?;
    let local = database::open().await?;
    let (clock, label) = (Clock::system(), database::actor());
    local
        .operator(&clock, &label)
        .set_disabled(&email, disabled)
        .await?;
    let may = if disabled { "may not" } else { "may" };
    super::say(format_args!("{email} {may} sign in."))?;
    Ok(ExitCode::SUCCESS)
}

fn parse_email(text: &str) -> anyhow::Result<Email> {
    Email::parse(text).map_err(|error| anyhow::anyhow!("--email {error}"))
}

/// At a terminal: read twice, without showing it. Else: the first line of standard input.
fn read_password(email: &Email) -> anyhow::Result<SecretString> {
    if std::io::stdin().is_terminal() {
        let ask = |prompt: String| {
            rpassword::prompt_password(prompt)
                .map(SecretString::from)
                .context("the password can't be read from the terminal")
        };
        let password = ask(format!("Password for {email}: "))?;
        let again = ask("Once more: ".to_owned())?;
        if !crate::crypto::token::same_secret(&password, &again) {
            bail!("the two are not the same; nothing was changed");
        }
        return Ok(password);
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("the password can't be read from standard input")?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("send the password as one line on standard input, or use --invite");
    }
    Ok(SecretString::from(password))
}
