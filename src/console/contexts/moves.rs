//! What the buttons inside the form do: add, remove, move. Nothing is saved by them.

use serde_json::{Map, Value};

use super::known::{KnownAttribute, operators};
use super::model::Model;
use super::rule::{ClauseForm, Reading, RuleForm};
use super::schema::FieldForm;
use super::target::{ArmForm, TargetForm};
use crate::domain::kept_test::{MAX_NAME_CHARS, MEMBER};

/// Does what a button says, and returns the id of the part to go on with.
pub fn act(model: &mut Model, what: &str) -> Option<String> {
    let mut words = what.split(':');
    let verb = words.next()?;
    let mut at = || words.next().and_then(|at| at.parse::<usize>().ok());
    match verb {
        "rule-add" => {
            model.rules.push(RuleForm {
                clauses: vec![ClauseForm {
                    operator: "equals".to_owned(),
                    ..ClauseForm::default()
                }],
                is_open: true,
                ..RuleForm::default()
            });
            Some(format!("r{}.c0", model.rules.len().saturating_sub(1)))
        }
        "rule-copy" => {
            let from = at()?;
            let mut copy = model.rules.get(from)?.clone();
            (copy.is_open, copy.name) = (true, String::new());
            model.rules.insert(from.saturating_add(1), copy);
            Some(format!("r{}", from.saturating_add(1)))
        }
        "rule-remove" => {
            remove(&mut model.rules, at()?);
            Some("rules".to_owned())
        }
        "rule-move" => {
            let (from, to) = (at()?, at()?);
            if from < model.rules.len() && to < model.rules.len() {
                let rule = model.rules.remove(from);
                model.rules.insert(to, rule);
            }
            Some(format!("r{to}"))
        }
        "clause-add" => {
            let rule = at()?;
            let clauses = &mut model.rules.get_mut(rule)?.clauses;
            clauses.push(ClauseForm {
                operator: "equals".to_owned(),
                ..ClauseForm::default()
            });
            Some(format!("r{rule}.c{}", clauses.len().saturating_sub(1)))
        }
        "clause-remove" => {
            let (rule, clause) = (at()?, at()?);
            remove(&mut model.rules.get_mut(rule)?.clauses, clause);
            Some(format!("r{rule}"))
        }
        "test-remove" => {
            let at = at()?;
            if let Some(Value::Array(tests)) = model.was.get_mut(MEMBER) {
                remove(tests, at);
            }
            Some("tests".to_owned())
        }
        "field-add" => {
            model.schema.fields.push(FieldForm::empty());
            Some(format!("f{}", model.schema.fields.len().saturating_sub(1)))
        }
        "field-remove" => {
            remove(&mut model.schema.fields, at()?);
            Some("fields".to_owned())
        }
        "split" | "arm-add" | "arm-remove" | "unsplit" => {
            let which = what.split(':').nth(1)?;
            let rule = which.strip_prefix('r').map(str::parse::<usize>);
            let target = match rule {
                Some(rule) => &mut model.rules.get_mut(rule.ok()?)?.then,
                None => &mut model.default,
            };
            let arm = what.split(':').nth(2).and_then(|arm| arm.parse().ok());
            of_target(target, verb, arm);
            Some(if which == "d" {
                "default".to_owned()
            } else {
                which.to_owned()
            })
        }
        _ => None,
    }
}

fn of_target(target: &mut TargetForm, verb: &str, arm: Option<usize>) {
    let weighing = |persona: &str, weight: &str| ArmForm {
        persona: persona.to_owned(),
        weight: weight.to_owned(),
    };
    match (verb, arm) {
        ("split", _) if target.arms.is_empty() => {
            target.arms = vec![weighing(&target.persona, "50"), weighing("", "50")];
        }
        ("split" | "arm-add", _) => target.arms.push(weighing("", "10")),
        ("arm-remove", Some(arm)) if target.arms.len() > 2 => remove(&mut target.arms, arm),
        _ => {
            // One is left: those who are left get the first that stays.
            let stays = target
                .arms
                .iter()
                .enumerate()
                .find(|(at, _)| Some(*at) != arm);
            let persona = stays
                .map(|(_, arm)| arm.persona.clone())
                .unwrap_or_default();
            *target = TargetForm::one(&persona);
        }
    }
}

/// Keeps a test with the context, under a name of its own.
pub fn keep_test(model: &mut Model, name: &str, mut test: Map<String, Value>) {
    let tests = model
        .was
        .entry(MEMBER)
        .or_insert_with(|| Value::Array(Vec::new()));
    let Some(tests) = tests.as_array_mut() else {
        return;
    };
    let short: String = name
        .chars()
        .take(MAX_NAME_CHARS.saturating_sub(5))
        .collect();
    let mut own = short.clone();
    for number in 2..100 {
        if !tests
            .iter()
            .any(|test| test.get("name").is_some_and(|taken| *taken == own))
        {
            break;
        }
        own = format!("{short} {number}");
    }
    test.insert("name".to_owned(), own.into());
    tests.push(Value::Object(test));
}

fn remove<T>(list: &mut Vec<T>, at: usize) {
    if at < list.len() {
        list.remove(at);
    }
}

/// Fits clauses to the attributes that were chosen for them: the operator, how values are read, and which values there can be.
pub fn settle(model: &mut Model, known: &[KnownAttribute]) {
    for clause in model.rules.iter_mut().flat_map(|rule| &mut rule.clauses) {
        if clause.raw.is_some() || clause.was == clause.attribute {
            continue;
        }
        let of = |attribute: &str| known.iter().find(|known| known.attribute == attribute);
        let (before, now) = (of(&clause.was), of(&clause.attribute));
        clause.reading = now.and_then(|known| known.reading).unwrap_or(Reading::Text);
        let suit = operators(now, clause.reading);
        if !suit.contains(&clause.operator.as_str())
            || clause.was.is_empty() && clause.values.is_empty()
        {
            clause.operator = suit.first().copied().unwrap_or("equals").to_owned();
        }
        if let Some(known) = now.filter(|known| known.is_closed) {
            clause.values.retain(|value| known.values.contains(value));
        } else if before.is_some_and(|known| known.is_closed) {
            clause.values.clear();
        }
        clause.was.clone_from(&clause.attribute);
    }
}
