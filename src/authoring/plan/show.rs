//! A plan as text.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::{Action, Plan, Step};
use crate::authoring::yaml::Source;
use crate::domain::diff::{Change, ChangeKind};
use crate::domain::text::forbidden;

/// A plan as people read it.
#[derive(Debug, Clone, Copy)]
pub struct PlanText<'a> {
    pub plan: &'a Plan,
    /// With the escape sequences of a terminal's colours.
    pub colour: bool,
    /// The file of the bundle, so that findings are shown with their places.
    pub source: Option<(&'a str, &'a Source)>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = PlanText {
            plan: self,
            colour: false,
            source: None,
        };
        shown.fmt(f)
    }
}

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        let changes = match plan.steps.len() {
            0 => "nothing to change".to_owned(),
            steps => format!("{} to make", count(steps, "change")),
        };
        write!(f, "tenant {}: {changes}", plan.tenant)?;
        match plan.unchanged {
            0 => writeln!(f)?,
            unchanged => writeln!(f, ", {unchanged} unchanged")?,
        }
        for step in &plan.steps {
            self.step(f, step)?;
        }
        for target in &plan.left_alone {
            let target = visible(target);
            writeln!(
                f,
                "  = {target} (not in the bundle, left alone; --prune removes it)"
            )?;
        }
        for finding in &plan.findings {
            let fault = finding.to_fault();
            let text = match self.source {
                Some((file, source)) => format!("{file}:{}", source.describe(&fault)),
                None => fault.to_string(),
            };
            self.line(f, Hue::Yellow, &format!("  ! {text}"))?;
        }
        Ok(())
    }
}

impl PlanText<'_> {
    fn step(&self, f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
        let (sign, hue) = match step.verb {
            Action::Create => ('+', Hue::Green),
            Action::Change => ('~', Hue::Yellow),
            Action::Remove => ('-', Hue::Red),
        };
        let note = match step.note.as_str() {
            "" => String::new(),
            note => format!(" ({note})"),
        };
        self.line(f, hue, &format!("  {sign} {}{note}", step.target))?;
        for change in &step.changes {
            self.change(f, change)?;
        }
        Ok(())
    }

    fn change(&self, f: &mut fmt::Formatter<'_>, change: &Change) -> fmt::Result {
        let at = &change.pointer;
        if let Some(diff) = &change.text {
            self.line(f, Hue::Plain, &format!("      {at}:"))?;
            for line in diff.lines() {
                let hue = match line.get(..1) {
                    Some("+") => Hue::Green,
                    Some("-") => Hue::Red,
                    Some("@") => Hue::Cyan,
                    _ => Hue::Plain,
                };
                self.line(f, hue, &format!("        {line}"))?;
            }
            return Ok(());
        }
        let (old, new) = (change.before.as_ref(), change.after.as_ref());
        match change.change {
            ChangeKind::Change => {
                let text = format!("      {at}: {} -> {}", json(old), json(new));
                self.line(f, Hue::Plain, &text)
            }
            ChangeKind::Add => self.whole(f, Hue::Green, '+', at, new),
            ChangeKind::Remove => self.whole(f, Hue::Red, '-', at, old),
        }
    }

    /// A value that came or went: a text of several lines line by line.
    fn whole(
        &self,
        f: &mut fmt::Formatter<'_>,
        hue: Hue,
        sign: char,
        at: &str,
        value: Option<&Value>,
    ) -> fmt::Result {
        match value
            .and_then(Value::as_str)
            .filter(|text| text.contains('\n'))
        {
            Some(text) => {
                self.line(f, hue, &format!("      {sign} {at}:"))?;
                for line in text.lines() {
                    self.line(f, hue, &format!("        {sign}{line}"))?;
                }
                Ok(())
            }
            None => self.line(f, hue, &format!("      {sign} {at}: {}", json(value))),
        }
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, hue: Hue, text: &str) -> fmt::Result {
        let text = visible(text);
        match hue.code().filter(|_| self.colour) {
            Some(code) => writeln!(f, "\u{1b}[{code}m{text}\u{1b}[0m"),
            None => writeln!(f, "{text}"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Hue {
    Plain,
    Green,
    Red,
    Yellow,
    Cyan,
}

impl Hue {
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Red => Some(31),
            Self::Green => Some(32),
            Self::Yellow => Some(33),
            Self::Cyan => Some(36),
        }
    }
}

fn json(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

/// Nothing in a plan moves the cursor or hides: invisible characters are written as what they are.
fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c == '\r' || forbidden(c.encode_utf8(&mut [0; 4])).is_some();
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::diff::diff;
    use crate::domain::finding::Finding;
    use crate::domain::wrong::Wrong;

    fn members(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn plan() -> Plan {
        let before = members(
            &json!({ "systemPrompt": "One.\nTwo.\nThree.\n", "skipGreeting": true, "avatarId": "a" }),
        );
        let after = members(
            &json!({ "systemPrompt": "One.\n2.\nThree.\n", "avatarId": "b", "initialMessage": "Hi\nthere" }),
        );
        let step = |verb, target: &str, note: &str, changes| Step {
            verb,
            target: target.into(),
            note: note.into(),
            changes,
        };
        Plan {
            tenant: "acme".into(),
            steps: vec![
                step(Action::Create, "snippet/tone", "version 1", vec![]),
                step(
                    Action::Change,
                    "persona/guide",
                    "version 1 to 2",
                    diff(&before, &after).unwrap(),
                ),
            ],
            unchanged: 3,
            left_alone: vec!["context/old".into()],
            findings: vec![Finding::warning(
                "/x",
                Wrong::Elsewhere.worded("mind \u{1b}[31m this"),
                "or not",
            )],
        }
    }

    #[test]
    fn a_change_is_told_member_by_member_and_texts_line_by_line() {
        assert_eq!(
            plan().to_string(),
            r#"tenant acme: 2 changes to make, 3 unchanged
  + snippet/tone (version 1)
  ~ persona/guide (version 1 to 2)
      /systemPrompt:
        @@ -1,3 +1,3 @@
         One.
        -Two.
        +2.
         Three.
      - /skipGreeting: true
      /avatarId: "a" -> "b"
      + /initialMessage:
        +Hi
        +there
  = context/old (not in the bundle, left alone; --prune removes it)
  ! /x: mind \u{1b}[31m this. or not
"#
        );
    }

    #[test]
    fn colours_are_for_terminals_only_and_change_no_word() {
        let plan = plan();
        let coloured = PlanText {
            plan: &plan,
            colour: true,
            source: None,
        };
        let coloured = coloured.to_string();
        assert!(coloured.contains("\u{1b}[32m  + snippet/tone (version 1)\u{1b}[0m\n"));
        let mut bare = coloured;
        for code in ["0", "31", "32", "33", "36"] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(bare, plan.to_string());
    }

    #[test]
    fn what_is_written_as_json_reads_back_the_same() {
        let plan = plan();
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(json["steps"][1]["changes"][0]["pointer"], "/systemPrompt");
        assert_eq!(json["leftAlone"], json!(["context/old"]));
        assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan);
    }
}
