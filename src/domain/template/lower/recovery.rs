//! Taking out what can't be read, so that the rest can: for those who want to know everything that is wrong at once.

use super::TemplateFault;
use super::source::Places;

#[derive(Clone, Copy, PartialEq, Eq)]
enum TagKind {
    Output,
    Statement,
    Comment,
}

impl TagKind {
    const ALL: [Self; 3] = [Self::Output, Self::Statement, Self::Comment];

    /// With what a tag begins and ends.
    fn signs(self) -> (&'static str, &'static str) {
        match self {
            Self::Output => ("{{", "}}"),
            Self::Statement => ("{%", "%}"),
            Self::Comment => ("{#", "#}"),
        }
    }
}

/// A tag, from its opening to behind its end; one that nobody closed ends where the next begins.
struct Tag<'s> {
    mark: TagKind,
    start: usize,
    inside: &'s str,
    end: usize,
    is_closed: bool,
}

impl Tag<'_> {
    /// What comes between the marks, without the signs that trim space.
    fn words(&self) -> impl Iterator<Item = &str> {
        let inside = self.inside.trim_start_matches(['-', '+']);
        inside
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
    }

    fn statement(&self) -> &str {
        self.words().next().unwrap_or_default()
    }
}

/// The source without what can't be read because of a fault; everything else stays in its line and column. Names that loops brought in
/// which were taken out are added to `names`. `None` where there is nothing to take out.
///
/// Where a statement was never closed, the parser tells the end of the source: the fault then says which statement it is.
pub(super) fn recover(
    source: &str,
    fault: &mut TemplateFault,
    names: &mut Vec<String>,
) -> Option<String> {
    let places = Places::new(source);
    let tags = tags(source);
    if fault.message.starts_with("unexpected end of input")
        && let Some(open) = unclosed(&tags)
    {
        let word = open.statement();
        (fault.line, fault.column) = places.at(open.start);
        fault.say_unclosed(&format!("{{% {word} %}}"), &format!("{{% end{word} %}}"));
        return without_statements(source, &tags, names);
    }
    let at = places.offset((fault.line, fault.column));
    let is_open = |tag: &&Tag<'_>| !tag.is_closed && (tag.start..=tag.end).contains(&at);
    let open = tags.iter().find(is_open);
    if let Some(open) = open {
        let (opening, close) = open.mark.signs();
        (fault.line, fault.column) = places.at(open.start);
        fault.say_unclosed(opening, close);
    }
    let broken = open.or_else(|| tags.iter().rfind(|tag| tag.start <= at))?;
    match (broken.mark, broken.statement()) {
        (TagKind::Output | TagKind::Comment, _) => Some(without(source, &[broken])),
        (TagKind::Statement, word @ ("if" | "elif")) if broken.words().count() > 1 => {
            Some(always(source, broken, word))
        }
        (TagKind::Statement, "if" | "elif" | "else" | "for" | "") => {
            without_statements(source, &tags, names)
        }
        (TagKind::Statement, word) if word.starts_with("end") => {
            without_statements(source, &tags, names)
        }
        (TagKind::Statement, word) => {
            let end = format!("end{word}");
            let unknown = |tag: &&Tag<'_>| {
                tag.start == broken.start
                    || (tag.mark == TagKind::Statement && tag.statement() == end)
            };
            let unknown: Vec<&Tag<'_>> = tags.iter().filter(unknown).collect();
            Some(without(source, &unknown))
        }
    }
}

/// The first statement that has no end.
fn unclosed<'t, 's>(tags: &'t [Tag<'s>]) -> Option<&'t Tag<'s>> {
    let mut open: Vec<&Tag<'_>> = Vec::new();
    for tag in tags.iter().filter(|tag| tag.mark == TagKind::Statement) {
        match tag.statement() {
            "if" | "for" => open.push(tag),
            "endif" | "endfor" => _ = open.pop(),
            _ => {}
        }
    }
    open.into_iter().next()
}

/// The source without any statement: where one of them is lost, nobody knows which belong together.
fn without_statements(source: &str, tags: &[Tag<'_>], names: &mut Vec<String>) -> Option<String> {
    let statements: Vec<&Tag<'_>> = tags
        .iter()
        .filter(|tag| tag.mark == TagKind::Statement)
        .collect();
    // What is in `raw` is no tag.
    if statements.iter().any(|tag| tag.statement() == "raw") {
        return None;
    }
    for tag in statements.iter().filter(|tag| tag.statement() == "for") {
        let loops = tag.words().skip(1).take_while(|word| *word != "in");
        names.extend(loops.map(str::to_owned));
    }
    Some(without(source, &statements))
}

/// The source with a condition that always holds in place of one that can't be read, which is at least as long.
fn always(source: &str, tag: &Tag<'_>, word: &str) -> String {
    let inside = |at: usize| (tag.start..tag.end).contains(&at);
    let room = source
        .char_indices()
        .filter(|(at, c)| inside(*at) && *c != '\n')
        .count();
    let opening = format!("{{%{word} 1");
    let spaces = room.saturating_sub(opening.len()).saturating_sub(2);
    let mut written = opening
        .chars()
        .chain(std::iter::repeat_n(' ', spaces))
        .chain("%}".chars());
    source
        .char_indices()
        .map(|(at, c)| {
            if inside(at) && c != '\n' {
                written.next().unwrap_or(' ')
            } else {
                c
            }
        })
        .collect()
}

/// The source with a space for each character of these tags; lines stay.
fn without(source: &str, tags: &[&Tag<'_>]) -> String {
    let inside = |at: usize| tags.iter().any(|tag| (tag.start..tag.end).contains(&at));
    source
        .char_indices()
        .map(|(at, c)| if inside(at) && c != '\n' { ' ' } else { c })
        .collect()
}

fn tags(source: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut from = 0;
    while let Some((start, mark)) = opening(source, from) {
        let begin = start.saturating_add(2);
        let (_, close) = mark.signs();
        let rest = source.get(begin..).unwrap_or_default();
        let next = opening(source, begin).map_or(source.len(), |(next, _)| next);
        let closed = rest.find(close).map(|at| begin.saturating_add(at));
        let (inside, end, is_closed) = match closed {
            Some(at) if mark == TagKind::Comment || at < next => (at, at.saturating_add(2), true),
            _ => (next, next, false),
        };
        tags.push(Tag {
            mark,
            start,
            inside: source.get(begin..inside).unwrap_or_default(),
            end,
            is_closed,
        });
        from = end;
    }
    tags
}

/// The first tag that begins at `from` or behind it.
fn opening(source: &str, from: usize) -> Option<(usize, TagKind)> {
    let rest = source.get(from..)?;
    TagKind::ALL
        .into_iter()
        .filter_map(|mark| Some((from.saturating_add(rest.find(mark.signs().0)?), mark)))
        .min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::super::{TemplateKind, survey};

    /// What a survey of a source reports: places and messages of faults, then the values that it uses.
    fn survey_lines(source: &str) -> (Vec<(usize, usize)>, Vec<String>) {
        let survey = survey(source, TemplateKind::Prompt);
        let places = survey.faults.iter().map(|fault| (fault.line, fault.column));
        let paths = survey.variables.into_iter().map(|used| used.path);
        (places.collect(), paths.collect())
    }

    #[test]
    fn a_tag_that_can_not_be_read_hides_no_other() {
        for (source, places, paths) in [
            (
                "{{ user. }} {{ nobody.x }}\n{{ user.b }}",
                vec![(1, 10), (1, 16)],
                vec!["user.b"],
            ),
            (
                "{% if user.plan = 'x' %}{{ user.a }}{% endif %}\n{{ nobody.x }}",
                vec![(1, 17), (2, 4)],
                vec!["user.a"],
            ),
            (
                "{% include 'x' %}{{ user.a }}{% set b = 1 %}",
                vec![(1, 4), (1, 33)],
                vec!["user.a"],
            ),
            (
                "{% macro x() %}{{ user.a }}{% endmacro %}{{ nobody }}",
                vec![(1, 4), (1, 45)],
                vec!["user.a"],
            ),
            (
                "{% for x in %}{{ x.a }}{{ user.a }}{% endfor %}{{ nobody }}",
                vec![(1, 13), (1, 51)],
                vec!["user.a"],
            ),
            (
                "{% if user.plan %}{{ user.a }}\n{{ nobody }}",
                vec![(1, 1), (2, 4)],
                vec!["user.a"],
            ),
            (
                "{{ user.a\n{{ user.b }} {{ nobody }}",
                vec![(1, 1), (2, 17)],
                vec!["user.b"],
            ),
            (
                "a\u{202e}b {{ user. }}{{ user.c }}",
                vec![(1, 2), (1, 14)],
                vec!["user.c"],
            ),
        ] {
            let (found, used) = survey_lines(source);
            assert_eq!(
                found,
                places,
                "{source}: {:?}",
                survey(source, TemplateKind::Prompt).faults
            );
            assert_eq!(used, paths, "{source}");
        }
    }

    #[test]
    fn what_stands_in_raw_or_in_a_comment_is_no_tag() {
        let (found, _) = survey_lines("{% raw %}{{ nobody }}{% endraw %}{% if user.a %}");
        assert_eq!(found.len(), 1);
        let (found, used) = survey_lines("{# {{ nobody #}{{ user. }}{{ user.a }}");
        assert_eq!((found.len(), used), (1, vec!["user.a".to_owned()]));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_surveyed_in_bounded_steps(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "{{ ", " }}", "{% if ", " %}", "{% endif %}", "{% for x in ", "user.a", "x.b", "'", "\n", "{#", "#}", "é", "{% raw %}",
                "{% endraw %}", "elif ", "{%- ", " -%}", "|default(", ")", "nobody", "{%", "}}",
            ]), 0..40)
        ) {
            let source: String = parts.concat();
            let survey = survey(&source, TemplateKind::Prompt);
            let lines = source.split('\n').count();
            for fault in survey.faults {
                proptest::prop_assert!((1..=lines).contains(&fault.line), "{source:?}: {fault}");
            }
        }
    }
}
