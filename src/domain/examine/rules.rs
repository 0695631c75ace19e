//! A context's rules: which can't be reached, which give nobody, and which metadata nobody looks at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Surroundings;
use super::clauses::Judge;
use super::correction::{correction, is_misshapen, overnight};
use super::goals::ClauseGoal;
use super::moment;
use super::schema::{self, PathLookup};
use super::serving;
use super::templates::{did_you_mean, listed, no_fact};
use super::values::Values;
use crate::domain::caller::Fact;
use crate::domain::context::Reading;
use crate::domain::fault::step;
use crate::domain::finding::Finding;
use crate::domain::key::Key;
use crate::domain::preferences::Standard;
use crate::domain::rules::{Clause, Operator, Rule, Target};
use crate::domain::schema::MetadataSchema;
use crate::domain::template::Template;
use crate::domain::wrong::{Words, Wrong};

/// Most personas of a context that are tried, since rendering takes time.
const MAX_GIVEN: usize = 20;

/// Findings of a context, as far as it can be read.
pub(super) fn findings(key: &Key, context: &Reading, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = aliases(key, context, around);
    let rules = Rules::new(context, around);
    for (place, (index, rule)) in context.rules.iter().enumerate() {
        let at = format!("/rules/{index}");
        findings.extend(rules.unreachable(&at, place, rule));
        findings.extend(rules.impossible(&at, rule));
        for (index, clause) in rule.when.iter().enumerate() {
            let at = format!("{at}/when/{index}/attribute");
            findings.extend(unknown_attribute(&at, clause, context, around));
        }
        findings.extend(target(&format!("{at}/then"), &rule.then, around));
    }
    if let Some(default) = &context.default {
        findings.extend(target("/default", default, around));
        if let Some((index, _)) = context
            .rules
            .iter()
            .find(|(_, rule)| rules.is_certain(rule))
        {
            findings.push(Finding::warning(
                "/default",
                Wrong::DefaultUnused { rule: index + 1 },
                "Give the rule a condition, or take it out and make its persona the default",
            ));
        }
    }
    findings.extend(unused(context, around));
    findings.extend(empty_ranges(context));
    findings.extend(unreachable_personas(key, context, around));
    findings
}

/// Personas that nobody could get here, though they are complete.
fn unreachable_personas(key: &Key, context: &Reading, around: &Surroundings<'_>) -> Vec<Finding> {
    let words = json!({ "key": key.as_str(), "description": context.description });
    let schema = context.schema.as_ref().map(MetadataSchema::document);
    let targets = context
        .rules
        .iter()
        .map(|(index, rule)| (format!("/rules/{index}/then"), &rule.then));
    let default = context.default.iter();
    let targets = targets.chain(default.map(|target| ("/default".to_owned(), target)));
    let mut seen: BTreeSet<&Key> = BTreeSet::new();
    let mut places: Vec<(String, Vec<&Key>)> = Vec::new();
    for (at, target) in targets {
        let new = target
            .personas()
            .into_iter()
            .filter(|key| seen.insert(*key));
        places.push((at, new.collect()));
    }
    let mut findings = Vec::new();
    let mut left = MAX_GIVEN;
    for (at, keys) in places {
        let personas = keys
            .into_iter()
            .filter_map(|key| Some((key, around.snapshot.personas.get(key)?)));
        let personas: Vec<_> = personas.take(left).collect();
        left = left.saturating_sub(personas.len());
        findings.extend(serving::of_context(&at, &words, schema, personas, around));
    }
    findings
}

fn aliases(key: &Key, context: &Reading, around: &Surroundings<'_>) -> Vec<Finding> {
    let contexts = &around.snapshot.contexts;
    let mut findings = Vec::new();
    for (index, alias) in &context.aliases {
        let at = format!("/aliases/{index}");
        let of_another = contexts
            .iter()
            .find(|(other, live)| *other != key && live.context.aliases.contains(alias));
        if alias == key {
            findings.push(Finding::warning(
                at,
                Wrong::OwnKey,
                "Take it out: the key means the context anyway",
            ));
        } else if contexts.contains_key(alias) {
            findings.push(Finding::unready(
                at,
                Wrong::KeyTaken(alias.to_string()),
                "Choose another alias, or archive that context",
            ));
        } else if let Some((other, _)) = of_another {
            findings.push(Finding::unready(
                at,
                Wrong::AliasTaken(other.to_string())
                    .worded(format!("`{alias}` means the context `{other}` already")),
                "Choose another alias, or take it from that context first",
            ));
        }
    }
    let taken = contexts
        .iter()
        .find(|(other, live)| *other != key && live.context.aliases.contains(key));
    findings.extend(taken.map(|(other, _)| {
        Finding::unready(
            "",
            Wrong::KeyIsAlias {
                name: key.to_string(),
                context: other.to_string(),
            },
            "Take the alias from that context first",
        )
    }));
    findings
}

/// The rules of a context, with what each of their attributes can be.
struct Rules<'a> {
    listed: &'a [(usize, Rule)],
    values: BTreeMap<String, Values>,
    judge: Judge,
}

impl<'a> Rules<'a> {
    fn new(context: &'a Reading, around: &Surroundings<'_>) -> Self {
        let metadata = context.schema.as_ref().map(MetadataSchema::document);
        let clauses = context.rules.iter().flat_map(|(_, rule)| &rule.when);
        let values = clauses.map(|clause| {
            let attribute = String::from(clause.attribute.clone());
            let (policy, catalogue) = (&around.snapshot.policy, &around.snapshot.catalogue);
            let values = Values::of_attribute(&attribute, policy, catalogue, metadata);
            (attribute, values)
        });
        Self {
            listed: &context.rules,
            values: values.collect(),
            judge: Judge::new(),
        }
    }

    /// Whether clauses about one attribute can all be as wanted.
    fn can_be(&self, wanted: &[ClauseGoal<'_>]) -> bool {
        let attribute = wanted.first().map(|(clause, _)| &clause.attribute);
        let attribute = attribute.map(|attribute| String::from(attribute.clone()));
        let values = attribute.and_then(|attribute| self.values.get(&attribute));
        values.is_none_or(|values| self.judge.is_possible(values, wanted))
    }

    fn is_certain(&self, rule: &Rule) -> bool {
        rule.when
            .iter()
            .all(|clause| !self.can_be(&[(clause, false)]))
    }

    /// A rule that an earlier one leaves nothing to.
    fn unreachable(&self, at: &str, place: usize, rule: &Rule) -> Option<Finding> {
        let (index, before) = self
            .listed
            .iter()
            .take(place)
            .find(|(_, earlier)| self.covers(earlier, rule))?;
        Some(Finding::warning(
            at,
            Wrong::Unreached {
                rule: index + 1,
                name: before.name.clone(),
            },
            "Put this rule before that one, or make their conditions different",
        ))
    }

    /// Whether each clause of `earlier` holds wherever those of `rule` do.
    fn covers(&self, earlier: &Rule, rule: &Rule) -> bool {
        earlier.when.iter().all(|clause| {
            let same = rule
                .when
                .iter()
                .filter(|own| own.attribute == clause.attribute);
            let mut wanted: Vec<ClauseGoal<'_>> = vec![(clause, false)];
            wanted.extend(same.map(|own| (own, true)));
            let implies = |own: &Clause| {
                let pairs = own.values.len().saturating_mul(clause.values.len());
                self.judge.pay(pairs) && implies(own, clause)
            };
            rule.when.iter().any(implies) || !self.can_be(&wanted)
        })
    }

    /// Clauses of a rule that can't hold, alone or together.
    fn impossible(&self, at: &str, rule: &Rule) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut together: BTreeMap<String, Vec<(usize, &Clause)>> = BTreeMap::new();
        for (index, clause) in rule.when.iter().enumerate() {
            let attribute = String::from(clause.attribute.clone());
            let Some(values) = self.values.get(&attribute) else {
                continue;
            };
            let at = format!("{at}/when/{index}");
            let finding = |wrong: Wrong, out: &str| {
                let mut meant = clause.values.iter();
                let advice = meant.find_map(|value| correction(clause, value, values));
                let text = format!("{wrong}: `{attribute}` is {}", values.describe());
                Finding::warning(
                    &at,
                    wrong.worded(text),
                    advice.unwrap_or_else(|| {
                        format!("Compare it with what it can be, or take {out} out")
                    }),
                )
            };
            let (name, known) = (attribute.clone(), values.choices());
            if !self.judge.is_possible(values, &[(clause, true)]) {
                findings.push(finding(Wrong::NeverHolds { name, known }, "the rule"));
                continue;
            }
            let useless = self.useless_values(&at, &attribute, clause, values);
            if useless.is_empty() && !self.judge.is_possible(values, &[(clause, false)]) {
                findings.push(finding(Wrong::AlwaysHolds { name, known }, "the clause"));
            }
            findings.extend(useless);
            together.entry(attribute).or_default().push((index, clause));
        }
        findings.extend(self.contradictions(at, &together));
        findings
    }

    /// Clauses of a rule that can hold, but not together.
    fn contradictions(
        &self,
        at: &str,
        together: &BTreeMap<String, Vec<(usize, &Clause)>>,
    ) -> Vec<Finding> {
        let finding = |names: &[&String], clauses: &[(usize, &Clause)], advice: Option<String>| {
            let mut numbers: Vec<usize> = clauses.iter().map(|(index, _)| index + 1).collect();
            numbers.sort_unstable();
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            let quoted = |between: &str| {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                names.join(between)
            };
            Finding::warning(
                format!("{at}/when"),
                Wrong::Contradict {
                    clauses: numbers.join(", "),
                    names: quoted(", "),
                }
                .worded(format!(
                    "can never hold: clauses {} contradict each other on {}",
                    numbers.join(" and "),
                    quoted(" and ")
                )),
                advice.unwrap_or_else(|| {
                    "All clauses of a rule must hold; put alternatives into the values of one clause, or into two rules".to_owned()
                }),
            )
        };
        let mut findings = Vec::new();
        let mut consistent: BTreeMap<&str, &[(usize, &Clause)]> = BTreeMap::new();
        for (attribute, clauses) in together {
            let wanted: Vec<ClauseGoal<'_>> =
                clauses.iter().map(|(_, clause)| (*clause, true)).collect();
            if wanted.len() > 1 && !self.can_be(&wanted) {
                findings.push(finding(
                    &[attribute],
                    clauses,
                    overnight(attribute, &wanted),
                ));
            } else {
                consistent.insert(attribute, clauses);
            }
        }
        for [one, other] in moment::PAIRS {
            let [one, other] = [format!("time.{one}"), format!("time.{other}")];
            let of = |name: &String| consistent.get(name.as_str()).copied();
            if let (Some(ones), Some(others)) = (of(&one), of(&other)) {
                let both = [ones, others].concat();
                let clauses: Vec<&Clause> = both.iter().map(|(_, clause)| *clause).collect();
                if !moment::is_possible(&self.judge, &clauses) {
                    findings.push(finding(&[&one, &other], &both, None));
                }
            }
        }
        findings
    }

    /// Values of a clause that the attribute never has, beside others that it may have.
    fn useless_values(
        &self,
        at: &str,
        attribute: &str,
        clause: &Clause,
        values: &Values,
    ) -> Vec<Finding> {
        // Its two values are one window.
        if clause.operator == Operator::Between {
            return Vec::new();
        }
        // Of a clause that says what is not, each value would have to be possible for it to say anything.
        let operator = match clause.operator {
            Operator::NotEquals => Operator::Equals,
            Operator::NotContains => Operator::Contains,
            operator => operator,
        };
        let useless = clause.values.iter().enumerate().filter(|(_, value)| {
            let alone = Clause {
                attribute: clause.attribute.clone(),
                operator,
                read_as: clause.read_as,
                values: vec![(*value).clone()],
            };
            let is_misshapen = operator.orders() && is_misshapen(value, values);
            is_misshapen || !self.judge.is_possible(values, &[(&alone, true)])
        });
        let finding = |(index, value): (usize, &Fact)| {
            Finding::warning(
                format!("{at}/values/{index}"),
                Wrong::NeverFits {
                    name: attribute.to_owned(),
                    known: values.choices(),
                }
                .worded(format!(
                    "never fits: `{attribute}` is {}",
                    values.describe()
                )),
                correction(clause, value, values)
                    .unwrap_or_else(|| "Correct the value, or take it out".to_owned()),
            )
        };
        useless.map(finding).collect()
    }
}

/// Whether `other` holds wherever `own` does, as far as the two clauses alone tell.
fn implies(own: &Clause, other: &Clause) -> bool {
    if own.attribute != other.attribute {
        return false;
    }
    let within = |some: &[Fact], all: &[Fact]| some.iter().all(|value| all.contains(value));
    match other.operator {
        // Any comparison that holds needs a value.
        Operator::IsPresent => !own.operator.is_negative(),
        operator if operator != own.operator || other.read_as != own.read_as => false,
        Operator::Between => own.values == other.values,
        Operator::NotEquals | Operator::NotContains => within(&other.values, &own.values),
        _ => within(&own.values, &other.values),
    }
}

fn unknown_attribute(
    at: &str,
    clause: &Clause,
    context: &Reading,
    around: &Surroundings<'_>,
) -> Option<Finding> {
    let path = String::from(clause.attribute.clone());
    let (root, rest) = path.split_once('.')?;
    let steps: Vec<&str> = rest.split('.').collect();
    let name = || path.clone();
    let (words, advice): (Words, String) = match root {
        "user" => {
            let facts = around.facts.filter(|facts| !facts.contains(rest))?;
            let (wrong, advice) = no_fact(name(), rest, facts);
            (wrong.into(), advice)
        }
        "preferences" => {
            let own = &around.snapshot.policy.preference_fields;
            if Standard::named(rest).is_some() || own.contains_key(rest) {
                return None;
            }
            let known = || Standard::names().chain(own.keys().map(String::as_str));
            (
                Wrong::NoPreference {
                    name: name(),
                    known: listed(known()),
                }
                .into(),
                format!(
                    "{}Define it in the policy, or correct its name",
                    did_you_mean("preferences.", rest, known())
                ),
            )
        }
        "metadata" => {
            let document = context.schema.as_ref()?.document();
            let (what, advice) = match schema::lookup(document, &steps) {
                PathLookup::Declared { .. } => return None,
                PathLookup::Open => (
                    "is not declared in the metadata of this context",
                    "Declare it, so that pages learn of it, or correct its name",
                ),
                PathLookup::Closed => (
                    "can never be sent: the metadata of this context does not allow it",
                    "Declare it in `metadata`, or correct its name",
                ),
            };
            let known = schema::members(document).map(String::as_str);
            let near = match steps.as_slice() {
                [only] => did_you_mean("metadata.", only, known),
                _ => String::new(),
            };
            let words = Wrong::Undeclared(name()).worded(format!("`{path}` {what}"));
            (words, format!("{near}{advice}"))
        }
        _ => return None,
    };
    Some(Finding::warning(at, words, advice))
}

fn target(at: &str, target: &Target, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let given: BTreeSet<&Key> = target.personas().into_iter().collect();
    for persona in given {
        // One that is live and can't be read is reported where it stands.
        if around.unreadable.contains(persona) {
            continue;
        }
        let Some(live) = around.snapshot.personas.get(persona) else {
            findings.push(Finding::unready(
                at,
                Wrong::NotLive(persona.to_string()),
                "Release that persona first, or name another",
            ));
            continue;
        };
        let missing: Vec<&str> = live.settings.missing().collect();
        if !missing.is_empty() {
            findings.push(Finding::unready(
                at,
                Wrong::GivesIncomplete {
                    name: persona.to_string(),
                    missing: missing.join(", "),
                },
                "Complete that persona first, or set a default for all personas in the policy",
            ));
        }
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
                Wrong::NoWeight(arm.persona.to_string()),
                "Give the arm a weight, or take it out",
            ));
        }
    }
    findings
}

/// Members of the metadata that neither a rule nor a persona looks at.
fn unused(context: &Reading, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut used = BTreeSet::new();
    for (_, rule) in &context.rules {
        for clause in &rule.when {
            used.extend(member_of(&String::from(clause.attribute.clone())));
        }
    }
    let targets = context.rules.iter().map(|(_, rule)| &rule.then);
    let targets = targets.chain(context.default.as_ref());
    let Some(schema) = &context.schema else {
        return Vec::new();
    };
    for persona in targets.flat_map(Target::personas) {
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
    schema::members(schema.document())
        .filter(|name| !used.contains(name.as_str()))
        .map(|name| {
            Finding::warning(
                format!("/metadata/properties{}", step(name)),
                Wrong::Unused(format!("metadata.{name}")),
                "Use it, or take it out, so that pages don't send it for nothing",
            )
        })
        .collect()
}

/// Numbers, lengths and counts of the metadata that start above where they end.
fn empty_ranges(context: &Reading) -> impl Iterator<Item = Finding> {
    let schema = context.schema.as_ref().map(MetadataSchema::document);
    let empty = schema.map(schema::empty_ranges).unwrap_or_default();
    empty.into_iter().map(|range| {
        let schema::EmptyRange { at, least, most } = range;
        Finding::error(
            format!("/metadata{at}"),
            Wrong::EmptyRange { least, most },
            "Swap them, or correct one",
        )
    })
}

/// The top member of the metadata that a path goes through; `*` for all of them.
fn member_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("metadata")?;
    match rest.strip_prefix('.') {
        Some(rest) => rest.split('.').next().map(str::to_owned),
        None => rest.is_empty().then(|| "*".to_owned()),
    }
}
