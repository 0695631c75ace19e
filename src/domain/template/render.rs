//! Runs a program over its input, once, from left to right. What it prints is never read again.

use super::{
    Rendered, TemplateKind,
    budget::Budget,
    eval::Eval,
    fault::RenderFault,
    input::TemplateInput,
    output::Page,
    program::{Expr, Node},
};

pub(super) fn render(
    nodes: &[Node],
    kind: TemplateKind,
    input: &TemplateInput<'_>,
    budget: &mut Budget,
) -> Result<Rendered, RenderFault> {
    let mut run = Run {
        page: Page::new(kind, input, budget)?,
        eval: Eval::new(input, budget),
    };
    run.nodes(nodes)?;
    run.page.finish(run.eval.budget)
}

struct Run<'r, 'b> {
    page: Page<'r>,
    eval: Eval<'r, 'b>,
}

impl<'r> Run<'r, '_> {
    fn nodes(&mut self, nodes: &'r [Node]) -> Result<(), RenderFault> {
        for node in nodes {
            self.eval.budget.step()?;
            match node {
                Node::Text(text) => self.page.push(text, self.eval.budget)?,
                Node::Print(expr, _) => {
                    let value = self.eval.expr(expr)?;
                    if let Some(notes) = &mut self.page.notes {
                        notes.printing(expr, &value, &mut self.eval);
                    }
                    self.page.print(&value, self.eval.budget)?;
                    if let Some(notes) = &mut self.page.notes {
                        notes.printed();
                    }
                }
                Node::Snippet(key) => self.page.snippet(key, self.eval.budget)?,
                Node::If(branch) => {
                    let nodes = if self.eval.expr(&branch.condition)?.is_true() {
                        &branch.then
                    } else {
                        &branch.otherwise
                    };
                    self.nodes(nodes)?;
                }
                Node::For(each) => {
                    self.for_loop(each.names, &each.items, &each.body, &each.empty)?;
                }
            }
        }
        Ok(())
    }

    /// Goes over the first items.
    fn for_loop(
        &mut self,
        names: usize,
        list: &'r Expr,
        body: &'r [Node],
        empty: &'r [Node],
    ) -> Result<(), RenderFault> {
        let items = self.eval.expr(list)?;
        let all = items.entries().unwrap_or_default();
        let items = items.iterate(self.eval.budget)?;
        if all > items.len() {
            self.page.note_cut();
        }
        if items.is_empty() {
            return self.nodes(empty);
        }
        let length = items.len();
        for (at, item) in items.into_iter().enumerate() {
            if let Some(notes) = &mut self.page.notes {
                notes.enter(names, list, at, &mut self.eval);
            }
            self.eval.enter(names, item, (at, length))?;
            let done = self.nodes(body);
            self.eval.leave(names);
            if let Some(notes) = &mut self.page.notes {
                notes.leave(names);
            }
            done?;
        }
        Ok(())
    }
}
