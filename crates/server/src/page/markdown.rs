//! Runbooks as a browser shows them: just that Markdown which `kept generate reference` writes.
//!
//! Headings, paragraphs, lists, code and links; comments are left out. Everything else stays text and
//! is escaped, and a link leads to `http`, `https` or a path of ours only: what a settings file says
//! can't become markup. Not a Markdown parser: CommonMark has far more rules than these pages need.

use super::html::Html;

/// What the lines so far are in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Nothing,
    Paragraph,
    Numbers,
    Points,
    Code,
}

impl Block {
    fn tags(self) -> [&'static str; 2] {
        match self {
            Block::Nothing => ["", ""],
            Block::Paragraph => ["<p>", "</p>\n"],
            Block::Numbers => ["<ol>\n", "</ol>\n"],
            Block::Points => ["<ul>\n", "</ul>\n"],
            Block::Code => ["<pre><code>", "</code></pre>\n"],
        }
    }
}

/// Adds a text in Markdown.
pub fn show(page: &mut Html, markdown: &str) {
    let mut open = Block::Nothing;
    for line in markdown.lines() {
        let (block, rest) = block_of(open, line);
        if block != open {
            page.add(open.tags()[1]).add(block.tags()[0]);
        } else if block == Block::Paragraph {
            page.add("\n");
        }
        open = block;
        match block {
            Block::Nothing => heading(page, rest),
            Block::Paragraph => inline(page, rest),
            Block::Numbers | Block::Points => {
                page.add("<li>");
                inline(page, rest);
                page.add("</li>\n");
            }
            // The line that opens it has nothing to show.
            Block::Code if line.starts_with("```") => {}
            Block::Code => {
                page.whole(rest).add("\n");
            }
        }
    }
    page.add(open.tags()[1]);
}

/// Which block a line belongs to after one in `open`, and what of the line is to be shown.
fn block_of(open: Block, line: &str) -> (Block, &str) {
    if open == Block::Code {
        return match line.starts_with("```") {
            true => (Block::Nothing, ""),
            false => (Block::Code, line),
        };
    }
    if line.starts_with("```") {
        return (Block::Code, "");
    }
    if let Some(rest) = line.strip_prefix("- ") {
        return (Block::Points, rest);
    }
    let item = line.split_once(". ");
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((number, rest)) = item
        && is_number(number)
    {
        return (Block::Numbers, rest);
    }
    let is_comment = line.starts_with("<!--") && line.ends_with("-->");
    if is_comment || line.trim().is_empty() {
        return (Block::Nothing, "");
    }
    match line.starts_with("# ") || line.starts_with("## ") {
        true => (Block::Nothing, line),
        false => (Block::Paragraph, line),
    }
}

fn heading(page: &mut Html, line: &str) {
    let forms = [("# ", ["<h1>", "</h1>\n"]), ("## ", ["<h2>", "</h2>\n"])];
    for (mark, tags) in forms {
        if let Some(rest) = line.strip_prefix(mark) {
            page.element(tags, rest);
        }
    }
}

/// Text with code and links in it; marks that aren't closed are text.
fn inline(page: &mut Html, mut text: &str) {
    while let Some(at) = text.find(['`', '[']) {
        page.whole(&text[..at]);
        let marked = &text[at..];
        if let Some((code, rest)) = marked[1..].split_once('`')
            && marked.starts_with('`')
        {
            page.add("<code>").whole(code).add("</code>");
            text = rest;
        } else if let Some((words, address, rest)) = link(marked) {
            page.add("<a href=\"").whole(address).add("\">");
            page.whole(words).add("</a>");
            text = rest;
        } else {
            page.whole(&marked[..1]);
            text = &marked[1..];
        }
    }
    page.whole(text);
}

/// `[words](address)` at the beginning of a text, and what is behind it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, rest) = rest.split_once(')')?;
    let is_ours = address.starts_with('/') && !address.starts_with("//");
    let leads = is_ours || address.starts_with("https://") || address.starts_with("http://");
    (leads && !words.contains(['[', '`'])).then_some((words, address, rest))
}
