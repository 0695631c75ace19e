//! No two modules that stand side by side need each other, whatever is below them: files are read in an order.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::sources;

/// Names of modules from the top: `["domain", "rules"]`.
type Module = Vec<String>;

/// The modules of src/, with the code of each that is not tests.
struct Modules {
    code: BTreeMap<Module, String>,
    /// What a module passes on of others: (module, name) -> where the name is from.
    passed_on: BTreeMap<(Module, String), Module>,
}

impl Modules {
    fn read() -> Self {
        let mut code = BTreeMap::new();
        for source in sources() {
            let path = source.path.trim_end_matches(".rs");
            let mut module: Module = path.split('/').map(str::to_owned).collect();
            if module.last().is_some_and(|name| name == "mod") {
                module.pop();
            }
            if module.iter().all(|name| name != "tests") && module != ["lib"] && module != ["main"]
            {
                let lines = source.code().map(|(_, line)| line);
                let lines = lines.take_while(|line| *line != "mod tests {");
                code.insert(module, lines.collect::<Vec<_>>().join("\n"));
            }
        }
        let mut modules = Self {
            code,
            passed_on: BTreeMap::new(),
        };
        modules.passed_on = modules.read_passed_on();
        modules
    }

    fn read_passed_on(&self) -> BTreeMap<(Module, String), Module> {
        let mut passed_on = BTreeMap::new();
        for (module, code) in &self.code {
            for statement in code.split("pub").skip(1) {
                let Some((visibility, tree)) = statement.split_once("use ") else {
                    continue;
                };
                let visibility = visibility.trim();
                let is_one = visibility.is_empty() || visibility.starts_with('(');
                if is_one
                    && visibility
                        .find(')')
                        .is_none_or(|end| end + 1 == visibility.len())
                {
                    for path in paths(tree) {
                        if let (Some(from), Some(name)) = (self.resolve(module, &path), path.last())
                        {
                            passed_on.insert((module.clone(), name.clone()), from);
                        }
                    }
                }
            }
        }
        passed_on
    }

    /// The module in which what a path names stands, seen from another.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut at = from.clone();
        let mut rest = path;
        if path.first()? == "crate" {
            at.clear();
            rest = &path[1..];
        }
        while let Some(first @ ("self" | "super")) = rest.first().map(String::as_str) {
            if first == "super" {
                at.pop();
            }
            rest = &rest[1..];
        }
        while let Some(name) = rest.first() {
            at.push(name.clone());
            if !self.code.contains_key(&at) {
                at.pop();
                let passed_on = self.passed_on.get(&(at.clone(), name.clone()));
                return Some(passed_on.cloned().unwrap_or(at));
            }
            rest = &rest[1..];
        }
        Some(at)
    }

    /// In each module: which of those right below it need which others, with a path that shows it.
    fn needs(&self) -> BTreeMap<Module, BTreeMap<String, BTreeMap<String, String>>> {
        let mut needs: BTreeMap<Module, BTreeMap<String, BTreeMap<String, String>>> =
            BTreeMap::new();
        for (module, code) in &self.code {
            for start in ["crate::", "super::", "self::"] {
                for (at, _) in code.match_indices(start) {
                    let (before, after) = code.split_at(at);
                    let before = before.chars().next_back();
                    if before.is_some_and(|c| c.is_alphanumeric() || "_:$".contains(c)) {
                        continue;
                    }
                    for path in paths(after) {
                        let Some(needed) = self.resolve(module, &path) else {
                            continue;
                        };
                        let both = module.iter().zip(&needed);
                        let shared = both.take_while(|(one, other)| one == other).count();
                        // The layers of lib.rs are looked at elsewhere, and a module and what is in it may know each other.
                        if let (1.., Some(one), Some(other)) =
                            (shared, module.get(shared), needed.get(shared))
                        {
                            let example = format!("{}: {}", module.join("/"), path.join("::"));
                            let beside = needs.entry(module[..shared].to_vec()).or_default();
                            let needed = beside.entry(one.clone()).or_default();
                            needed.entry(other.clone()).or_insert(example);
                        }
                    }
                }
            }
        }
        needs
    }
}

/// The paths of a tree such as `super::{one, two::{self, Three}}`, with which a text begins.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    tree(text, &[], &mut found);
    found
}

/// Reads one tree, and gives what stands behind it.
fn tree<'t>(text: &'t str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        rest = after;
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => break,
        }
        if let Some(mut inner) = rest.strip_prefix('{') {
            while !inner.trim_start().is_empty() && !inner.trim_start().starts_with('}') {
                inner = tree(inner, &path, found);
                // Behind a name may stand another one for it.
                let end = inner.find([',', '}']).unwrap_or(inner.len());
                let (_, after) = inner.split_at(end);
                inner = after.strip_prefix(',').unwrap_or(after);
            }
            return inner.trim_start().strip_prefix('}').unwrap_or_default();
        }
    }
    found.push(path);
    rest
}

/// All that a module needs, of those beside it, in however many steps.
fn reached<'n>(
    needs: &'n BTreeMap<String, BTreeMap<String, String>>,
    from: &str,
) -> BTreeSet<&'n str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        for needed in needs.get(name).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(needed.as_str()) {
                open.push(needed);
            }
        }
    }
    reached
}

#[test]
fn modules_beside_each_other_stand_in_an_order() {
    let modules = Modules::read();
    let needs = modules.needs();
    let found: usize = needs.values().map(BTreeMap::len).sum();
    assert!(found > 100, "what modules need was found: {found}");
    let mut circles = BTreeSet::new();
    for (parent, beside) in &needs {
        for name in beside.keys() {
            let mut circle = reached(beside, name);
            circle.retain(|other| reached(beside, other).contains(name.as_str()));
            if circle.len() > 1 {
                let names: Vec<&str> = circle.into_iter().collect();
                circles.insert(format!("{}: {}", parent.join("/"), names.join(", ")));
            }
        }
    }
    assert!(circles.is_empty(), "these need each other: {circles:#?}");
}

#[test]
fn trees_of_paths_are_read() {
    let read = |text: &str| -> Vec<String> { paths(text).iter().map(|p| p.join("::")).collect() };
    assert_eq!(read("super::one::Two;"), ["super::one::Two"]);
    assert_eq!(
        read("super::{one::{self, Two as Three}, four};\nuse x"),
        ["super::one::self", "super::one::Two", "super::four"]
    );
    assert_eq!(read("crate::a::b(c)"), ["crate::a::b"]);
}
