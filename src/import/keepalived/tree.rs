//! Statements as blocks in blocks.

use super::lines::Statement;
use crate::import::report::Report;

/// A statement, and what stands in braces behind it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub statement: Statement,
    /// `None` without braces.
    pub block: Option<Vec<Node>>,
}

impl Node {
    pub(super) fn keyword(&self) -> &str {
        self.statement.keyword()
    }

    /// A word behind the keyword, from 1.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.statement.words.get(index).map(|word| word.text.as_str())
    }

    pub(super) fn children(&self) -> &[Node] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// Blocks nest no deeper than this in any configuration.
const DEEPEST: usize = 64;

/// The statements as a tree; braces that do not fit are said.
pub(super) fn tree(statements: Vec<Statement>, report: &mut Report) -> Vec<Node> {
    // The blocks that are open, the outermost first.
    let mut open: Vec<Vec<Node>> = vec![Vec::new()];
    for statement in statements {
        match statement.keyword() {
            "{" if open.len() > DEEPEST => {
                report.error(&statement.place, "blocks nest too deep", "no configuration does that");
                break;
            }
            "{" => {
                let behind = open.last().and_then(|block| block.last()).is_some_and(|node| node.block.is_none());
                if !behind {
                    report.error(&statement.place, "a block without a keyword", "keepalived passes over its brace");
                }
                // Without one it is a block of nothing, which nobody asks for.
                open.push(Vec::new());
                if !behind && let Some(block) = open.iter_mut().rev().nth(1) {
                    block.push(Node { statement, block: None });
                }
            }
            "}" => match open.pop() {
                Some(block) if !open.is_empty() => {
                    if let Some(node) = open.last_mut().and_then(|outer| outer.last_mut()) {
                        node.block = Some(block);
                    }
                }
                block => {
                    report.error(&statement.place, "a `}` without its `{`", "remove it");
                    open.extend(block);
                }
            },
            _ => {
                if let Some(block) = open.last_mut() {
                    block.push(Node { statement, block: None });
                }
            }
        }
    }
    while open.len() > 1 {
        let block = open.pop().unwrap_or_default();
        if let Some(node) = open.last_mut().and_then(|outer| outer.last_mut()) {
            report.error(&node.statement.place, "the block that begins here has no end", "close it with a `}`");
            node.block = Some(block);
        }
    }
    open.pop().unwrap_or_default()
}
