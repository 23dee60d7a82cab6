//! What an event says, for a person's terminal: whoever writes events must not be able to write to it.
//!
//! Control characters and others that nobody sees (a colour, a line that overwrites another, text
//! that runs backwards) are escaped as in a Rust literal, and the text is cut.

/// Characters that are shown.
const SHOWN: usize = 40;

/// The text, escaped and cut to 40 characters; `...` stands for the rest.
pub fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let begin = characters.by_ref().take(SHOWN);
    let mut out: String = begin.flat_map(visible).collect();
    if characters.next().is_some() {
        out.push_str("...");
    }
    out
}

/// Quotes are left as they are: nothing is parsed out of a message.
fn visible(character: char) -> impl Iterator<Item = char> {
    let plain = matches!(character, '"' | '\'').then_some(character);
    let escaped = plain.is_none().then(|| character.escape_debug());
    plain.into_iter().chain(escaped.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(shown("order.placed"), "order.placed");
        assert_eq!(shown("k\u{1b}[2J\r\n\u{7}"), r"k\u{1b}[2J\r\n\u{7}");
        assert_eq!(shown("\u{202e}txt\u{85}"), r"\u{202e}txt\u{85}");
        assert_eq!(shown("Größe 'a' \"b\""), "Größe 'a' \"b\"");
    }

    #[test]
    fn long_texts_are_cut_at_forty_characters() {
        assert_eq!(shown(&"ä".repeat(40)), "ä".repeat(40));
        assert_eq!(shown(&"ä".repeat(41)), format!("{}...", "ä".repeat(40)));
        assert_eq!(shown(""), "");
    }
}
