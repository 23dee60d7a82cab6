//! HTML that can't be broken by what it shows.
//!
//! Markup is text of the program (`&'static str`), everything else goes through `text`, which
//! escapes: a label value can't become a tag, an attribute or a line that reads backwards. This is a
//! matter of types, so no caller can forget it.

use std::fmt::{Display, Write};

/// A page in the making.
#[derive(Default)]
pub struct Html(String);

/// Text that is shown is cut after so many characters; no label, key or message needs more.
const LONGEST_TEXT: usize = 400;

impl Html {
    /// Markup of the program itself.
    pub fn add(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Anything else, between tags or inside a quoted attribute.
    pub fn text(&mut self, text: impl Display) -> &mut Html {
        let mut characters = 0;
        write!(Escaping(&mut self.0, &mut characters), "{text}")
            .expect("writing to a string can't fail");
        self
    }

    /// The same, as long as it is: for texts of the generator's, which have an end.
    pub fn whole(&mut self, text: &str) -> &mut Html {
        for character in text.chars() {
            self.text(character);
        }
        self
    }

    /// Points of a line, as long as it takes: letters, digits, spaces, points and minus only.
    pub fn points(&mut self, points: &str) -> &mut Html {
        let is_legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-');
        self.0.extend(points.chars().filter(is_legal));
        self
    }

    /// An element with nothing but text in it: `tag` is its opening and its closing markup.
    pub fn element(&mut self, tag: [&'static str; 2], text: impl Display) -> &mut Html {
        self.add(tag[0]).text(text).add(tag[1])
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String, &'a mut usize);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            *self.1 += 1;
            match character {
                _ if *self.1 == LONGEST_TEXT + 1 => self.0.push('…'),
                _ if *self.1 > LONGEST_TEXT => {}
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                other if is_unseen(other) => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of the text around them.
fn is_unseen(character: char) -> bool {
    let turns = matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut page = Html::default();
        page.text(text);
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn hostile_text_stays_text() {
        check(
            "</td><script>alert('1')</script>",
            "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;",
        );
        check("\" onmouseover=\"x", "&quot; onmouseover=&quot;x");
        check("a & b &amp; c", "a &amp; b &amp;amp; c");
        check(
            "\u{202e}evil\u{0}\u{1b}[31m",
            "\u{fffd}evil\u{fffd}\u{fffd}[31m",
        );
        for turning in ["\u{61c}", "\u{200e}", "\u{202a}", "\u{2066}", "\u{2069}"] {
            check(turning, "\u{fffd}");
        }
        check("Zürich 東京", "Zürich 東京");
    }

    #[test]
    fn a_line_is_as_long_as_it_takes() {
        let line = "M1.5 -2L3 4h0".repeat(1000);
        let mut page = Html::default();
        page.points(&line).points("\"><b>");
        assert_eq!(page.finish(), line + "b");
    }

    #[test]
    fn endless_text_is_cut() {
        let mut page = Html::default();
        page.text("<".repeat(100_000));
        assert_eq!(page.finish(), "&lt;".repeat(LONGEST_TEXT) + "…");
    }
}
