//! Rules as sentences, in the reader's language.

use super::model::Model;
use super::rule::{ClauseForm, RuleForm};
use super::target::TargetForm;
use crate::console::texts::Texts;
use crate::domain::rules::{MAX_NAME_CHARS, WEEKDAYS};

/// "plan is enterprise or premium".
pub fn clause(texts: Texts, clause: &ClauseForm) -> String {
    if clause.raw.is_some() {
        return texts.say("cx-clause-raw");
    }
    if clause.attribute.is_empty() {
        return texts.say("cx-clause-open");
    }
    let values: Vec<String> = clause
        .values
        .iter()
        .map(|text| value(texts, &clause.attribute, text))
        .collect();
    let is_between = clause.operator == "between";
    if let ([from, until], true) = (values.as_slice(), is_between) {
        return texts.with_all("cx-clause-between", &[("from", from), ("until", until)]);
    }
    let what = attribute(texts, &clause.attribute);
    let values = if values.is_empty() {
        "…".to_owned()
    } else {
        alternatives(texts, &values)
    };
    let name = format!("cx-clause-{}", clause.operator.replace('_', "-"));
    if clause.attribute == "time.weekday"
        && matches!(clause.operator.as_str(), "equals" | "not_equals")
    {
        let name = name.replace("cx-clause-", "cx-clause-day-");
        return texts.with_all(&name, &[("values", &values)]);
    }
    texts.with_all(&name, &[("what", &what), ("values", &values)])
}

/// What people call an attribute.
pub fn attribute(texts: Texts, name: &str) -> String {
    match name.split_once('.') {
        Some(("time", part)) => texts.say(&format!("cx-time-{part}")),
        Some((_, name)) => name.to_owned(),
        None => name.to_owned(),
    }
}

/// A value of an attribute.
pub fn value(texts: Texts, attribute: &str, text: &str) -> String {
    match attribute {
        "time.weekday" if WEEKDAYS.contains(&text) => texts.say(&format!("cx-day-{text}")),
        "time.hour" if !text.is_empty() => format!("{text}:00"),
        _ => match text {
            "true" => texts.say("cx-yes"),
            "false" => texts.say("cx-no"),
            _ => text.to_owned(),
        },
    }
}

/// "a, b or c".
fn alternatives(texts: Texts, values: &[String]) -> String {
    match values {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => texts.with_all(
            "cx-words-or",
            &[("first", &first.join(", ")), ("last", last)],
        ),
    }
}

/// "plan is enterprise and it is Saturday"; empty where a rule asks for nothing.
pub fn condition(texts: Texts, rule: &RuleForm) -> String {
    let clauses: Vec<String> = rule.clauses.iter().map(|one| clause(texts, one)).collect();
    match clauses.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => {
            let and = texts.say("cx-words-and");
            let first = first.join(&format!(" {and} "));
            format!("{first} {and} {last}")
        }
    }
}

/// "When plan is enterprise and it is Saturday", "For everybody".
pub fn when(texts: Texts, rule: &RuleForm) -> String {
    let condition = condition(texts, rule);
    if rule.raw.is_some() {
        texts.say("cx-rule-raw")
    } else if condition.is_empty() {
        texts.say("cx-rule-everybody")
    } else {
        texts.with_all("cx-rule-when", &[("condition", &condition)])
    }
}

/// "support-agent", "60 % support-agent, 40 % trainer".
pub fn target(texts: Texts, target: &TargetForm) -> String {
    if target.raw.is_some() {
        return texts.say("cx-clause-raw");
    }
    let named = |persona: &str| {
        if persona.is_empty() {
            texts.say("cx-target-open")
        } else {
            persona.to_owned()
        }
    };
    if target.arms.is_empty() {
        return named(&target.persona);
    }
    let arms = target.arms.iter().zip(target.shares());
    let arms = arms.map(|(arm, share)| format!("{share:.0} % {}", named(&arm.persona)));
    arms.collect::<Vec<_>>().join(", ")
}

/// The name of a rule that nobody named.
fn own_name(texts: Texts, rule: &RuleForm) -> String {
    let condition = condition(texts, rule);
    let name = if condition.is_empty() {
        texts.say("cx-rule-everybody")
    } else {
        condition
    };
    name.chars()
        .take(MAX_NAME_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Names the rules that nobody named.
pub fn name_rules(texts: Texts, model: &mut Model) {
    for rule in &mut model.rules {
        if rule.raw.is_none() && rule.name.is_empty() {
            rule.name = own_name(texts, rule);
        }
    }
}

/// Leaves out names that say what the rules say anyway.
pub fn leave_out_names(texts: Texts, model: &mut Model) {
    for rule in &mut model.rules {
        if rule.name == own_name(texts, rule) {
            rule.name.clear();
        }
    }
}
