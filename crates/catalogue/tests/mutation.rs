//! However a configuration is mangled, reading it gives a plan or problems, never a crash, and each
//! problem points into the text.

use catalogue::packs::PACKS;
use catalogue::{FileText, Sources, warnings};

const CONFIG: &str = r#"
[kafka]
brokers = "localhost:9092"
group = "kept"
start = "24h"
dead_letter_topic = "shop.rejected"
[[kafka.topic]]
name = "orders"
key = "order_id"
types = ["order.placed", "payment.*", "order.picked", "cart.*", "checkout.started"]
[[kafka.topic]]
name = "fulfilments"
types = ["order.fulfilled", "order.cancelled"]
lateness = "1m"
[kafka.client]
"sasl.password_file" = "kpis.toml"
[time]
dedupe = "15m"
[limits]
record_bytes = "256KiB"
[http]
listen = "127.0.0.1:9464"
[catalogue]
files = ["kpis.toml"]
max_series = 100_000
"#;

/// Splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}

/// What is put in the place of something else.
const PIECES: [&str; 16] = [
    "",
    "\"",
    "[",
    "]]",
    "{",
    "= 5",
    "\"0s\"",
    "-1",
    "1e400",
    "[[kpi]]",
    "kind = \"ratio\"",
    "\"cart\"",
    "\"\u{e9}\u{1f6d2}\"",
    "99999999999999999999",
    "kpi.x.y = 1",
    "\"36525d\"",
];

fn mangle(text: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random.below(3) {
        let (at, other) = (random.below(lines.len()), random.below(lines.len()));
        let piece = PIECES[random.below(PIECES.len())];
        match random.below(5) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, other),
            2 => lines.insert(at, lines[other].clone()),
            3 => lines[at] = lines[at].replacen('"', piece, 1),
            _ => {
                let words: Vec<&str> = lines[at].split(' ').collect();
                let word = words[random.below(words.len())].to_owned();
                lines[at] = lines[at].replacen(&word, piece, 1);
            }
        }
    }
    lines.join("\n")
}

#[test]
fn a_mangled_configuration_gives_problems_that_point_into_it() {
    let kpis: String = PACKS.iter().map(|(_, text)| *text).collect();
    let mut read_well = 0;
    for seed in 0..2000 {
        let mut random = Random(seed);
        let (config, kpis) = match random.below(2) {
            0 => (mangle(CONFIG, &mut random), kpis.clone()),
            _ => (CONFIG.to_owned(), mangle(&kpis, &mut random)),
        };
        let (lines, kpi_lines) = (config.lines().count() + 1, kpis.lines().count() + 1);
        let name = "kpis.toml".to_owned();
        let file = FileText {
            path: name.clone(),
            name,
            text: Ok(kpis),
        };
        let sources = Sources {
            path: "kept.toml",
            text: &config,
            environment: &[],
            files: &[file],
        };
        match catalogue::read(&sources) {
            Ok((_, plan)) => {
                read_well += 1;
                warnings(&plan);
            }
            Err(problems) => {
                assert!(
                    !problems.is_empty(),
                    "seed {seed}: refused without a reason"
                );
                for problem in problems {
                    let most = if problem.path == "kpis.toml" {
                        kpi_lines
                    } else {
                        lines
                    };
                    let inside = (1..=most).contains(&(problem.line as usize));
                    assert!(
                        inside || problem.path.starts_with("pack"),
                        "seed {seed}: {problem}"
                    );
                }
            }
        }
    }
    assert!(
        read_well > 0,
        "every mangled configuration was refused: the test tests nothing"
    );
}
