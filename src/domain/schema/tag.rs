//! Alternatives that say which one they are: `kind: {const: "page"}` in one, `kind: {const: "cart"}` in another. Only the one that the
//! value names is checked, and its faults are reported.

use std::collections::HashMap;

use super::program::{Choice, Id, Kinds, Node, Program, Tag, Test};

/// Most references that are followed to an alternative.
const MAX_STEPS: usize = 8;

/// Finds the tags of all alternatives.
pub(super) fn find(program: &mut Program) {
    let mut found = Vec::new();
    for (id, node) in program.nodes.iter().enumerate() {
        for (at, test) in node.tests.iter().enumerate() {
            if let Test::Any(choice) | Test::One(choice) = test {
                found.extend(tag_of(program, &choice.parts).map(|tag| (id, at, tag)));
            }
        }
    }
    for (id, at, tag) in found {
        let node = program.nodes.get_mut(id);
        if let Some(Test::Any(Choice { tag: slot, .. }) | Test::One(Choice { tag: slot, .. })) =
            node.and_then(|node| node.tests.get_mut(at))
        {
            *slot = Some(tag);
        }
    }
}

fn tag_of(program: &Program, parts: &[Id]) -> Option<Tag> {
    let first = part(program, *parts.first()?)?;
    let mut names = required(first);
    names.find_map(|name| tag_named(program, parts, name))
}

fn tag_named(program: &Program, parts: &[Id], name: &str) -> Option<Tag> {
    let mut tag = Tag {
        name: name.to_owned(),
        parts: HashMap::new(),
        longest: 0,
    };
    for id in parts {
        let node = part(program, *id)?;
        if !required(node).any(|required| required == name) {
            return None;
        }
        for text in texts(program, node, name)? {
            tag.longest = tag.longest.max(text.len());
            if tag.parts.insert(text.to_owned(), *id).is_some() {
                return None;
            }
        }
    }
    Some(tag)
}

/// An alternative that takes objects only, behind its references.
fn part(program: &Program, mut id: Id) -> Option<&Node> {
    for _ in 0..MAX_STEPS {
        let node = program.nodes.get(id)?;
        match node.tests.as_slice() {
            [Test::All(parts)] if parts.len() == 1 && node.kinds == Kinds::ALL => {
                id = *parts.first()?;
            }
            _ => return (node.kinds == Kinds::OBJECT).then_some(node),
        }
    }
    None
}

fn required(node: &Node) -> impl Iterator<Item = &str> {
    let lists = node.tests.iter().filter_map(|test| match test {
        Test::Required(names) => Some(names),
        _ => None,
    });
    lists.flatten().map(String::as_str)
}

/// The texts that an alternative takes for a member, where it takes nothing else.
fn texts<'p>(program: &'p Program, node: &Node, name: &str) -> Option<Vec<&'p str>> {
    let member = node.tests.iter().find_map(|test| match test {
        Test::Members { named, .. } => named.get(name),
        _ => None,
    })?;
    let tests = &program.nodes.get(*member)?.tests;
    tests.iter().find_map(|test| match test {
        Test::Allowed(allowed) => allowed.values.texts(),
        _ => None,
    })
}
