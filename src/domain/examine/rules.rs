//! A context's rules: which can't be reached, which give nobody, and which metadata nobody looks at.

use std::collections::BTreeSet;

use super::Surroundings;
use super::schema::{self, Place};
use super::templates::listed;
use crate::domain::caller::Fact;
use crate::domain::context::Context;
use crate::domain::fault::step;
use crate::domain::finding::Finding;
use crate::domain::key::Key;
use crate::domain::preferences::STANDARD_FIELDS;
use crate::domain::rules::{Clause, Operator, Rule, Target};
use crate::domain::template::Template;

/// What is to be said of a context.
pub(super) fn findings(key: &Key, context: &Context, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = aliases(key, context, around);
    for (index, rule) in context.rules.iter().enumerate() {
        let at = format!("/rules/{index}");
        findings.extend(unreachable(&at, index, rule, &context.rules));
        for (index, clause) in rule.when.iter().enumerate() {
            let at = format!("{at}/when/{index}/attribute");
            findings.extend(unknown_attribute(&at, clause, context, around));
        }
        findings.extend(target(&format!("{at}/then"), &rule.then, around));
    }
    let default = &context.default;
    findings.extend(target("/default", default, around));
    if let Some(rule) = context.rules.iter().position(|rule| rule.when.is_empty()) {
        findings.push(Finding::warning(
            "/default",
            format!("is never used: rule {} holds for everybody", rule + 1),
            "Give the rule a condition, or take it out and make its persona the default",
        ));
    }
    findings.extend(unused(context, around));
    findings
}

fn aliases(key: &Key, context: &Context, around: &Surroundings<'_>) -> Vec<Finding> {
    let contexts = &around.snapshot.contexts;
    let mut findings = Vec::new();
    for (index, alias) in context.aliases.iter().enumerate() {
        let at = format!("/aliases/{index}");
        let of_another = contexts
            .iter()
            .find(|(other, live)| *other != key && live.context.aliases.contains(alias));
        if alias == key {
            findings.push(Finding::warning(
                at,
                "is the context's own key",
                "Take it out: the key means the context anyway",
            ));
        } else if contexts.contains_key(alias) {
            findings.push(Finding::error(
                at,
                format!("`{alias}` is the key of another context"),
                "Choose another alias, or archive that context",
            ));
        } else if let Some((other, _)) = of_another {
            findings.push(Finding::error(
                at,
                format!("`{alias}` means the context `{other}` already"),
                "Choose another alias, or take it from that context first",
            ));
        }
    }
    let taken = contexts
        .iter()
        .find(|(other, live)| *other != key && live.context.aliases.contains(key));
    findings.extend(taken.map(|(other, _)| {
        Finding::error(
            "",
            format!("the key `{key}` is an alias of the context `{other}`"),
            "Take the alias from that context first",
        )
    }));
    findings
}

/// A rule that an earlier one leaves nothing to.
fn unreachable(at: &str, index: usize, rule: &Rule, rules: &[Rule]) -> Option<Finding> {
    let earlier = rules.iter().take(index);
    let covers = |other: &Rule| {
        let mut clauses = other.when.iter();
        clauses.all(|clause| rule.when.iter().any(|own| implies(own, clause)))
    };
    let (number, before) = earlier
        .enumerate()
        .find(|(_, other)| covers(other))
        .map(|(number, other)| (number + 1, other))?;
    Some(Finding::warning(
        at,
        format!(
            "is never reached: rule {number} (`{}`) holds wherever this one does",
            before.name
        ),
        "Put this rule before that one, or make their conditions different",
    ))
}

/// Whether `other` holds wherever `own` does, as far as the two clauses alone tell.
fn implies(own: &Clause, other: &Clause) -> bool {
    if own.attribute != other.attribute {
        return false;
    }
    let within = |some: &[Fact], all: &[Fact]| some.iter().all(|value| all.contains(value));
    let is_negative = |operator: Operator| {
        matches!(
            operator,
            Operator::NotEquals | Operator::NotContains | Operator::IsAbsent
        )
    };
    match other.operator {
        // Any comparison that holds needs a value.
        Operator::IsPresent => !is_negative(own.operator),
        operator if operator != own.operator => false,
        Operator::NotEquals | Operator::NotContains => within(&other.values, &own.values),
        _ => within(&own.values, &other.values),
    }
}

fn unknown_attribute(
    at: &str,
    clause: &Clause,
    context: &Context,
    around: &Surroundings<'_>,
) -> Option<Finding> {
    let path = String::from(clause.attribute.clone());
    let (root, rest) = path.split_once('.')?;
    let steps: Vec<&str> = rest.split('.').collect();
    let (what, advice) = match root {
        "user" => {
            let facts = around.facts.filter(|facts| !facts.contains(rest))?;
            let facts = listed(facts.iter().map(String::as_str));
            (
                "is given by no issuer of the tenant",
                format!("Add `{rest}` to an issuer's claim map, or use one of: {facts}"),
            )
        }
        "preferences" => {
            let own = &around.snapshot.policy.preference_fields;
            if STANDARD_FIELDS.contains(&rest) || own.contains_key(rest) {
                return None;
            }
            (
                "is no preference of the tenant",
                "Define it in the policy, or correct its name".to_owned(),
            )
        }
        "metadata" => match schema::look(context.schema.document(), &steps) {
            Place::Declared { .. } => return None,
            Place::Open => (
                "is not declared in the metadata of this context",
                "Declare it, so that pages learn of it, or correct its name".to_owned(),
            ),
            Place::Closed => (
                "can never be sent: the metadata of this context does not allow it",
                "Declare it in `metadata`, or correct its name".to_owned(),
            ),
        },
        _ => return None,
    };
    Some(Finding::warning(at, format!("`{path}` {what}"), advice))
}

fn target(at: &str, target: &Target, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let missing: BTreeSet<&Key> = target
        .personas()
        .into_iter()
        .filter(|key| !around.snapshot.personas.contains_key(*key))
        .collect();
    for persona in missing {
        findings.push(Finding::error(
            at,
            format!("gives the persona `{persona}`, which is not live"),
            "Release that persona first, or name another",
        ));
    }
    if let Target::Split(split) = target {
        let empty = split
            .split
            .iter()
            .enumerate()
            .filter(|(_, arm)| arm.weight == 0);
        for (index, arm) in empty {
            findings.push(Finding::warning(
                format!("{at}/split/{index}/weight"),
                format!("is 0: nobody gets `{}`", arm.persona),
                "Give the arm a weight, or take it out",
            ));
        }
    }
    findings
}

/// Members of the metadata that neither a rule nor a persona looks at.
fn unused(context: &Context, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut used = BTreeSet::new();
    for rule in &context.rules {
        for clause in &rule.when {
            used.extend(member_of(&String::from(clause.attribute.clone())));
        }
    }
    for persona in context.personas() {
        let Some(live) = around.snapshot.personas.get(persona) else {
            // Told as missing; what it looks at is not known.
            return Vec::new();
        };
        let own = [&live.persona.name, &live.persona.prompt];
        let snippets = live.snippets.iter().map(|(_, template)| template.as_ref());
        let texts = own
            .into_iter()
            .chain(live.persona.greeting.as_ref())
            .chain(snippets);
        for path in texts.flat_map(Template::variables).map(|used| &used.path) {
            used.extend(member_of(path));
        }
    }
    if used.contains("*") {
        return Vec::new();
    }
    schema::members(context.schema.document())
        .filter(|name| !used.contains(name.as_str()))
        .map(|name| {
            Finding::warning(
                format!("/metadata/properties{}", step(name)),
                format!("`metadata.{name}` is used by no rule and no persona of this context"),
                "Use it, or take it out, so that pages don't send it for nothing",
            )
        })
        .collect()
}

/// The top member of the metadata that a path goes through; `*` for all of them.
fn member_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("metadata")?;
    match rest.strip_prefix('.') {
        Some(rest) => rest.split('.').next().map(str::to_owned),
        None => rest.is_empty().then(|| "*".to_owned()),
    }
}
