//! What a gateway's memory grows by with tenants that it holds, and with connections that wait.

use std::fmt;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::kind::Kind;
use super::options::Options;
use super::progress;
use super::servers::{Ground, Server};
use super::users::asking;
use super::{bundle, http};

/// Tenants that are asked for once, with so many personas each, whose prompts have 3 kB.
const TENANTS: u32 = 1_000;
const PERSONAS: u32 = 10;
/// Connections that have had an answer and wait for their next request.
const CONNECTIONS: u32 = 10_000;
const OPTIONS: &str = "/v1/me/options";

/// What the memory grew by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    what: String,
    count: u32,
    before_mib: f64,
    now_mib: f64,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Held>> {
    // A tenth is enough to see that it works.
    let part = |whole: u32| if options.quick { whole / 10 } else { whole };
    let (tenants, connections) = (part(TENANTS), part(CONNECTIONS));
    let ground = Ground::prepare(options).await?;
    fill(&ground, tenants).await?;
    let server = ground.start(Kind::Gateway).await?;
    let of_acme = ground.tokens_of(0);
    let token = of_acme.first().context("no token")?;
    // What everybody needs is there before anything is counted.
    let mut sockets = vec![asked(&server, token).await?];

    progress(format_args!("{tenants} tenants"));
    let before_mib = resident(&server)?;
    for number in 0..tenants {
        let token = ground.issuers.token_for(&slug(number))?;
        asked(&server, &token).await?;
    }
    let of_tenants = Held {
        what: format!("tenants with {PERSONAS} personas each, prompts of 3 kB"),
        count: tenants,
        before_mib,
        now_mib: resident(&server)?,
    };

    progress(format_args!("{connections} connections"));
    let before_mib = resident(&server)?;
    // A user may not ask so often.
    for (_, token) in (0..connections).zip(of_acme.iter().cycle()) {
        sockets.push(asked(&server, token).await?);
    }
    let of_connections = Held {
        what: "connections that wait for their next request".to_owned(),
        count: connections,
        before_mib,
        now_mib: resident(&server)?,
    };
    drop(sockets);
    if let Some(process) = server.process {
        process.stop().await?;
    }
    ground.stop().await?;
    Ok(vec![of_tenants, of_connections])
}

fn slug(number: u32) -> String {
    format!("held-{number}")
}

/// Tenants like `acme`, with more personas, whose users' tokens come from its issuer with their name as the audience.
async fn fill(ground: &Ground, tenants: u32) -> anyhow::Result<()> {
    progress(format_args!("filling in {tenants} tenants"));
    let acme = bundle::TENANTS.first().context("no tenant")?;
    let acme = format!("(select id from tenant where slug = '{acme}')");
    let statements = format!(
        r#"insert into tenant (id, slug, name, policy)
               select gen_random_uuid(), 'held-' || n, 'Held', '{{}}' from generate_series(0, {tenants} - 1) n;
           create temporary table held as select id, slug from tenant where slug like 'held-%';
           insert into issuer (tenant_id, config)
               select h.id, i.config || jsonb_build_object('audiences', jsonb_build_array(h.slug)) from held h, issuer i where i.tenant_id = {acme};
           update issuer_audience set claimed_at = now(), claimed_by = 'operator' where audience like 'held-%';
           insert into catalogue_entry (tenant_id, kind, id, name, position)
               select h.id, c.kind, c.id, c.name, c.position from held h, catalogue_entry c where c.tenant_id = {acme};
           insert into document (tenant_id, kind, key) select id, 'persona', 'guide-' || n from held, generate_series(1, {PERSONAS}) n;
           insert into document (tenant_id, kind, key) select id, 'context', 'default' from held;
           insert into document_version (tenant_id, document_id, number, content)
               select d.tenant_id, d.id, 1, case d.kind
                   when 'context' then '{{"default": {{"persona": "guide-1"}}}}'
                   else v.content || jsonb_build_object('systemPrompt', repeat(v.content ->> 'systemPrompt', 2)) end
               from document d join held h on h.id = d.tenant_id,
                    document_version v join document o on o.tenant_id = v.tenant_id and o.id = v.document_id
               where o.tenant_id = {acme} and o.key = 'support-guide' and v.number = 1;
           insert into release (tenant_id, document_id, version_id)
               select v.tenant_id, v.document_id, v.id from document_version v join held h on h.id = v.tenant_id"#
    );
    ground.fill(statements).await
}

/// Asks once, for what has to be read of the whole tenant, and keeps the connection.
async fn asked(server: &Server, token: &str) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(server.at).await?;
    socket.write_all(&asking(OPTIONS, token)).await?;
    let mut buffer = Vec::new();
    let answer = http::read(&mut socket, &mut buffer).await?;
    let answer = answer.context("no answer")?;
    ensure!(
        answer.status() == 200,
        "{}",
        String::from_utf8_lossy(answer.body)
    );
    Ok(socket)
}

fn resident(server: &Server) -> anyhow::Result<f64> {
    let (now, _most) = server.memory()?.context("no process")?;
    Ok(now)
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grown = self.now_mib - self.before_mib;
        let each = grown * 1024.0 / f64::from(self.count);
        writeln!(
            f,
            "| {} {} | {:.1} | {:.1} | {each:.1} |",
            self.count, self.what, self.before_mib, self.now_mib
        )
    }
}
