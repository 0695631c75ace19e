//! A directory that was changed owner by owner answers as one that was built anew.

use std::collections::{BTreeMap, HashSet};

use persona_gateway::auth::{
    AuthError, Directory, IssuerEntry, JwksSettings, Owner, RegisteredUrl, TenantEntry,
};
use persona_gateway::domain::ids::{IssuerId, TenantId};
use persona_gateway::domain::issuer::{ClaimPath, TenantBinding};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Bench, ED, claims, config, tenant};

/// So many of each there are, so that they meet.
const TENANTS: u128 = 3;
const URLS: [&str; 3] = [
    "https://a.example",
    "https://b.example",
    "https://login.example/{tenantid}/v2",
];
const DIRECTORY: &str = "6f4c7c9c-54a5-4d9c-8b0a-0f4a3f6b2a01";
const AUDIENCES: [&str; 3] = ["x", "y", "z"];
const SLUGS: [&str; 3] = ["one", "two", "three"];

/// An issuer's entry, drawn.
#[derive(Debug, Clone)]
struct Drawn {
    url: usize,
    /// Each audience: not there, pending, or served.
    audiences: [u8; 3],
    by_azp: bool,
}

/// What an owner has from now on.
#[derive(Debug, Clone)]
struct Step {
    /// 0 is the installation.
    owner: u128,
    exists: bool,
    active: bool,
    slug: usize,
    issuers: Vec<Drawn>,
    /// URLs that are registered, and whether that is proven.
    registered: [u8; 3],
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..URLS.len(), [0..3_u8, 0..3_u8, 0..3_u8], any::<bool>()).prop_map(
        |(url, audiences, by_azp)| Drawn {
            url,
            audiences,
            by_azp,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    (
        0..=TENANTS,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        0..SLUGS.len(),
        prop::collection::vec(drawn(), 0..3),
        [0..3_u8, 0..3_u8, 0..3_u8],
    )
        .prop_map(|(owner, exists, active, slug, issuers, registered)| Step {
            owner,
            exists,
            active,
            slug,
            issuers,
            registered,
        })
}

impl Step {
    fn owner(&self) -> Owner {
        match self.owner {
            0 => Owner::Installation,
            number => Owner::Tenant(tenant(number)),
        }
    }

    /// What the owner has. The slug is unique in the database, so `taken` ones are changed.
    fn part(&self, taken: &HashSet<String>) -> Directory {
        let mut part = Directory::default();
        if !self.exists {
            return part;
        }
        let owner = tenant(self.owner);
        if self.owner != 0 {
            let slug = SLUGS[self.slug].to_owned();
            let slug = if taken.contains(&slug) {
                format!("{slug}-{}", self.owner)
            } else {
                slug
            };
            part.tenants.push(TenantEntry {
                id: owner,
                slug,
                active: self.active,
            });
            for (url, registered) in URLS.iter().zip(self.registered) {
                if registered > 0 {
                    part.registered.push(RegisteredUrl {
                        issuer: (*url).to_owned(),
                        tenant: owner,
                        is_proven: registered == 2,
                    });
                }
            }
        }
        for (number, drawn) in self.issuers.iter().enumerate() {
            part.issuers.extend(self.entry(number, drawn));
        }
        part
    }

    fn entry(&self, number: usize, drawn: &Drawn) -> Option<IssuerEntry> {
        let with = |kind| {
            let all = AUDIENCES.iter().zip(drawn.audiences);
            let some = all.filter(move |(_, of)| *of >= kind);
            some.map(|(audience, _)| (*audience).to_owned())
        };
        let all: Vec<String> = with(1).collect();
        if all.is_empty() {
            return None;
        }
        let claim = if drawn.by_azp { "azp" } else { "aud" };
        let document = json!({
            "issuer": URLS[drawn.url], "audiences": all, "audienceClaim": claim,
            "keys": {"jwks": {"keys": [ED.jwk("ed")]}},
        });
        let served: HashSet<String> = with(2).collect();
        Some(IssuerEntry {
            id: IssuerId(Uuid::from_u128(self.owner * 10 + number as u128)),
            binding: match self.owner {
                0 => TenantBinding::ByClaim {
                    claim: ClaimPath::parse("org").unwrap(),
                },
                number => TenantBinding::Fixed(tenant(number)),
            },
            config: config(&document),
            pending: with(1).filter(|one| !served.contains(one)).collect(),
            secrets: Vec::new(),
        })
    }
}

/// What every token of this small world gets, and whose it would be.
async fn answers(bench: &Bench) -> Vec<(Result<TenantId, AuthError>, Option<TenantId>)> {
    let mut answers = Vec::new();
    for url in URLS {
        for org in SLUGS {
            for aud in AUDIENCES {
                for azp in [None, Some("x"), Some("z")] {
                    let mut all: Value = claims();
                    all["iss"] = json!(url.replace("{tenantid}", DIRECTORY));
                    all["tid"] = json!(DIRECTORY);
                    all["org"] = json!(org);
                    all["aud"] = json!(aud);
                    if let Some(azp) = azp {
                        all["azp"] = json!(azp);
                    }
                    let token = ED.token(ED.header("ed"), all);
                    let caller = bench.auth.authenticate(&token).await;
                    let claimed = bench.auth.claimed(&token).tenant;
                    answers.push((caller.map(|caller| caller.tenant), claimed));
                }
            }
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn changed_owner_by_owner_it_answers_as_if_built_anew(steps in prop::collection::vec(step(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let changed = Bench::new(JwksSettings::default());
            changed.auth.replace_directory(Directory::default());
            let mut parts: BTreeMap<Owner, (Step, HashSet<String>)> = BTreeMap::new();
            for step in steps {
                let owner = step.owner();
                let others = parts.iter().filter(|(other, _)| **other != owner);
                let taken = others
                    .flat_map(|(_, (step, taken))| step.part(taken).tenants)
                    .map(|tenant| tenant.slug)
                    .collect();
                changed.auth.replace_part(owner, step.part(&taken));
                parts.insert(owner, (step, taken));
                let mut all = Directory::default();
                for (step, taken) in parts.values() {
                    let part = step.part(taken);
                    all.tenants.extend(part.tenants);
                    all.registered.extend(part.registered);
                    all.issuers.extend(part.issuers);
                }
                let built = Bench::new(JwksSettings::default());
                built.auth.replace_directory(all);
                assert_eq!(answers(&changed).await, answers(&built).await);
            }
            for owner in parts.into_keys() {
                changed.auth.replace_part(owner, Directory::default());
            }
            let empty = Bench::new(JwksSettings::default());
            empty.auth.replace_directory(Directory::default());
            assert_eq!(answers(&changed).await, answers(&empty).await, "nothing is left of those who are gone");
        });
    }
}

#[tokio::test]
async fn a_part_takes_in_nothing_of_another_owner() {
    let bench = Bench::new(JwksSettings::default());
    bench.auth.replace_directory(Directory::default());
    let keys = json!({"jwks": {"keys": [ED.jwk("ed")]}});
    let document = json!({"issuer": URLS[0], "audiences": ["x"], "keys": keys});
    let theirs = || Directory {
        issuers: vec![crate::kit::entry(1, 1, config(&document))],
        tenants: crate::kit::tenants(),
        ..Directory::default()
    };
    let mut all = claims();
    all["iss"] = json!(URLS[0]);
    all["aud"] = json!("x");
    let token = ED.token(ED.header("ed"), all);
    let whose = async || {
        bench
            .auth
            .authenticate(&token)
            .await
            .map(|caller| caller.tenant)
    };
    bench.auth.replace_part(Owner::Tenant(tenant(2)), theirs());
    assert!(whose().await.is_err());
    bench.auth.replace_part(Owner::Tenant(tenant(1)), theirs());
    assert_eq!(whose().await, Ok(tenant(1)));
}
