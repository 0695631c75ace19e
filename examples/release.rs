//! A change of a persona on its whole way: draft, validation, version, release; then a token that is minted with it, and the way
//! back. Against `dev`:
//!
//! ```sh
//! persona-gateway dev --json > ready.json &
//! GATEWAY=$(jq -r .gateway ready.json) ADMIN_KEY=$(jq -r .adminKey ready.json) USER_TOKEN=$(jq -r .userToken ready.json) \
//!   cargo run --example release
//! ```

use std::collections::BTreeMap;

use anyhow::Context;
use futures_util::TryStreamExt;
use persona_gateway::client::{Client, Kind, User};
use persona_gateway::config::environment;
use serde_json::Map;

const KEY: &str = "assistant";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example tells what it does")]
async fn main() -> anyhow::Result<()> {
    let environment = environment();
    let gateway = setting(&environment, "GATEWAY")?;
    let client = Client::new(gateway, setting(&environment, "ADMIN_KEY")?)?;
    let user = User::new(gateway, setting(&environment, "USER_TOKEN")?)?;

    let me = client.me().await?;
    println!("{} of {}, as {}", me.role, me.tenant_name, me.actor);
    let documents: Vec<_> = client.documents(Some(Kind::Persona)).try_collect().await?;
    for document in &documents {
        println!("  {} (live: {:?})", document.key, document.live_version);
    }

    let draft = client.open_draft(Kind::Persona, KEY, "A clear end").await?;
    let mut content = draft.content.clone();
    let prompt = content
        .get("systemPrompt")
        .and_then(|prompt| prompt.as_str())
        .unwrap_or_default();
    let prompt = format!("{prompt}\nEnd each answer with a question.\n");
    content.insert("systemPrompt".into(), prompt.into());
    let draft = client.write_draft(&draft, content).await?;
    println!("draft {} of {} {}", draft.id, draft.kind, draft.key);

    let findings = client.validate(&draft).await?;
    println!("validation: {findings}");
    let version = client.seal(&draft, "End with a question").await?;
    println!("version {}: {}", version.number, version.hash);
    let release = client
        .release(Kind::Persona, KEY, version.number, None, "")
        .await?;
    println!("live from {}", release.live_from);

    let minted = user.mint(None, Map::new()).await?;
    println!(
        "session {} with {} version {}",
        minted.session_id, minted.persona.key, minted.persona.version
    );
    let back = client
        .roll_back(Kind::Persona, KEY, "only an example")
        .await?;
    println!("back to version {}", back.version);
    Ok(())
}

fn setting<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> anyhow::Result<&'a str> {
    let value = environment.get(name).map(String::as_str);
    value.with_context(|| format!("set {name}: see the lines at the top of this example"))
}
