//! Fixtures as rows: gzipped comma-separated text with a header, RFC 4180 quoting, no line feeds
//! inside fields.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A file below `tests/data`: its rows in file order, without the header, each with its line.
pub fn rows(name: &str) -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(file);
    unpacked
        .read_to_string(&mut text)
        .expect("the fixture is gzipped UTF-8");
    let lines = text.lines().skip(1);
    lines.map(|line| (line.to_owned(), fields(line))).collect()
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().expect("there is always a field");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

#[test]
fn quoted_fields_keep_their_commas_and_quotes() {
    assert_eq!(fields(r#"1,"a, ""b""",,c"#), ["1", r#"a, "b""#, "", "c"]);
}
