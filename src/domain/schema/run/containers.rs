//! Lists and objects, with what is in them.

use serde_json::{Map, Value};

use super::{
    InstanceLocation, LOOKUP, Marks, Run, Verdict, bytes, counted, equality, is_marked, mark,
};
use crate::domain::schema::program::Test;
use crate::domain::wrong::Wrong;

impl Run<'_> {
    pub(super) fn list(
        &mut self,
        test: &Test,
        items: &[Value],
        at: &InstanceLocation<'_>,
        mut marks: Marks<'_>,
    ) -> Verdict {
        match test {
            Test::MinItems(least) => self.fits(items.len() >= *least, at, || {
                let message = format!("must have at least {}", counted(*least, "item"));
                Wrong::LeastItems { least: *least }.worded(message)
            }),
            Test::MaxItems(most) => self.fits(items.len() <= *most, at, || {
                let (least, most) = (0, *most);
                let message = format!("must have at most {}", counted(most, "item"));
                Wrong::Items { least, most }.worded(message)
            }),
            Test::Unique => {
                if items.len() < 2 {
                    return Ok(true);
                }
                for item in items {
                    self.weigh(item)?;
                }
                self.fits(equality::all_differ(items), at, || Wrong::HoldsTwice)
            }
            Test::Items { first, rest } => {
                let mut fits = true;
                let judges = first
                    .iter()
                    .map(Some)
                    .chain(std::iter::repeat(rest.as_ref()));
                for ((index, item), judge) in items.iter().enumerate().zip(judges) {
                    let Some(judge) = judge else { break };
                    mark(marks.as_deref_mut(), index);
                    if !self.node(*judge, item, &InstanceLocation::Item(at, index), None)? {
                        fits = false;
                        if self.is_done() {
                            break;
                        }
                    }
                }
                Ok(fits)
            }
            Test::Contains {
                item: judge,
                least,
                most,
                marks: counts,
            } => {
                let mut found = 0_usize;
                for (index, item) in items.iter().enumerate() {
                    if self.quietly(*judge, item, &InstanceLocation::Item(at, index), None)? {
                        found += 1;
                        if *counts {
                            mark(marks.as_deref_mut(), index);
                        }
                    }
                }
                let fits = found >= *least && most.is_none_or(|most| found <= most);
                self.fits(fits, at, || {
                    let most = most.map_or_else(String::new, |most| format!(" and at most {most}"));
                    Wrong::Contains.worded(format!(
                        "must hold at least {least}{most} of the items that its schema requires"
                    ))
                })
            }
            Test::OtherItems(judge) => {
                let mut fits = true;
                for (index, item) in items.iter().enumerate() {
                    if is_marked(marks.as_deref(), index) {
                        continue;
                    }
                    mark(marks.as_deref_mut(), index);
                    if !self.node(*judge, item, &InstanceLocation::Item(at, index), None)? {
                        fits = false;
                        if self.is_done() {
                            break;
                        }
                    }
                }
                Ok(fits)
            }
            _ => Ok(true),
        }
    }

    pub(super) fn object(
        &mut self,
        test: &Test,
        members: &Map<String, Value>,
        at: &InstanceLocation<'_>,
    ) -> Verdict {
        match test {
            Test::MinProperties(least) => self.fits(members.len() >= *least, at, || {
                let message = format!("must have at least {}", counted(*least, "member"));
                Wrong::LeastMembers { least: *least }.worded(message)
            }),
            Test::MaxProperties(most) => self.fits(members.len() <= *most, at, || {
                let message = format!("must have at most {}", counted(*most, "member"));
                Wrong::Members { most: *most }.worded(message)
            }),
            Test::Required(names) => self.required(names, members, at),
            Test::Wants(wants) => {
                let mut fits = true;
                for name in members.keys() {
                    self.pay(LOOKUP + bytes(name))?;
                    if let Some(names) = wants.get(name)
                        && !self.required(names, members, at)?
                    {
                        fits = false;
                        if self.is_done() {
                            break;
                        }
                    }
                }
                Ok(fits)
            }
            Test::Names(judge) => {
                let mut fits = true;
                for name in members.keys() {
                    self.pay(LOOKUP + bytes(name))?;
                    let place = InstanceLocation::Member(at, name);
                    let value = Value::from(name.as_str());
                    if self.quietly(*judge, &value, &place, None)? {
                        continue;
                    }
                    fits = self.fail(&place, || Wrong::NoName);
                    if self.is_done() {
                        break;
                    }
                }
                Ok(fits)
            }
            _ => Ok(true),
        }
    }

    pub(super) fn required(
        &mut self,
        names: &[String],
        members: &Map<String, Value>,
        at: &InstanceLocation<'_>,
    ) -> Verdict {
        let mut fits = true;
        for name in names {
            self.pay(LOOKUP + bytes(name))?;
            if !members.contains_key(name) {
                fits = self.fail(&InstanceLocation::Member(at, name), || Wrong::Missing);
                if self.is_done() {
                    break;
                }
            }
        }
        Ok(fits)
    }

    pub(super) fn members(
        &mut self,
        test: &Test,
        members: &Map<String, Value>,
        at: &InstanceLocation<'_>,
        mut marks: Marks<'_>,
    ) -> Verdict {
        let mut fits = true;
        if let Test::OtherMembers(judge) = test {
            for (index, (name, value)) in members.iter().enumerate() {
                if is_marked(marks.as_deref(), index) {
                    continue;
                }
                mark(marks.as_deref_mut(), index);
                if !self.node(*judge, value, &InstanceLocation::Member(at, name), None)? {
                    fits = false;
                    if self.is_done() {
                        break;
                    }
                }
            }
            return Ok(fits);
        }
        let Test::Members {
            named,
            patterns,
            rest,
            longest,
        } = test
        else {
            return Ok(true);
        };
        for (index, (name, value)) in members.iter().enumerate() {
            let place = InstanceLocation::Member(at, name);
            let mut met = false;
            self.pay(LOOKUP)?;
            if name.len() <= *longest {
                self.pay(bytes(name))?;
                if let Some(judge) = named.get(name) {
                    met = true;
                    fits &= self.node(*judge, value, &place, None)?;
                }
            }
            for (pattern, judge) in patterns {
                if self.matches(pattern, name)? {
                    met = true;
                    fits &= self.node(*judge, value, &place, None)?;
                }
            }
            if !met && let Some(judge) = rest {
                met = true;
                fits &= self.node(*judge, value, &place, None)?;
            }
            if met {
                mark(marks.as_deref_mut(), index);
            }
            if !fits && self.is_done() {
                break;
            }
        }
        Ok(fits)
    }
}
