//! Markdown in, HTML out.

use super::super::html::Html;
use super::super::markdown;
use super::{has, well_formed};

fn shown(text: &str) -> String {
    let mut page = Html::default();
    markdown::show(&mut page, text);
    page.finish()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(text), expected, "of {text:?}");
}

#[test]
fn what_runbooks_are_made_of_is_shown() {
    check(
        "# A & B\n\n<!-- made -->\n\n## C\n\none `x` and\ntwo\n",
        "<h1>A &amp; B</h1>\n<h2>C</h2>\n<p>one <code>x</code> and\ntwo</p>\n",
    );
    check(
        "1. a\n2. b\n\n- c\n- d",
        "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n<ul>\n<li>c</li>\n<li>d</li>\n</ul>\n",
    );
    check(
        "x:\n\n```\na > 1\n\n- b [c](/d)\n```\ny",
        "<p>x:</p>\n<pre><code>a &gt; 1\n\n- b [c](/d)\n</code></pre>\n<p>y</p>\n",
    );
    check(
        "see [it](http://g:3000/d/x?a=1&b=2), [us](/runbooks)",
        "<p>see <a href=\"http://g:3000/d/x?a=1&amp;b=2\">it</a>, <a href=\"/runbooks\">us</a></p>\n",
    );
    check("`a[b](/c)`", "<p><code>a[b](/c)</code></p>\n");
}

#[test]
fn what_is_not_closed_is_text() {
    check("a ` b [c", "<p>a ` b [c</p>\n");
    check("[a] (b) [`c`](/d)", "<p>[a] (b) [<code>c</code>](/d)</p>\n");
    check("```\na", "<pre><code>a\n</code></pre>\n");
    check("1.5 is no item. 2", "<p>1.5 is no item. 2</p>\n");
}

#[test]
fn hostile_markdown_stays_text() {
    let hostile = [
        "<script>alert(1)</script>",
        "# <img src=x onerror=alert(1)>",
        "- `</code><script>`",
        "```\n</code></pre><script>\n```",
        "[a](javascript:alert(1)) [b](//evil.example) [c](data:text/html,x)",
        "[d](https://x/\" onmouseover=\"alert(1))",
        "<!-- --><script>alert(1)</script> -->",
    ];
    for text in hostile {
        let page = shown(text);
        for broken in [
            "<script",
            "<img",
            "href=\"javascript",
            "href=\"//",
            "href=\"data",
        ] {
            assert!(!page.contains(broken), "{broken} is in {page}");
        }
        assert!(!page.contains("\" onmouseover=\""), "{page}");
        assert_eq!(well_formed(&page), Ok(()), "{page}");
    }
    let long = "word ".repeat(500);
    assert_eq!(
        shown(&long),
        format!("<p>{long}</p>\n"),
        "none of it is cut"
    );
}

#[test]
fn the_runbooks_that_are_checked_in_have_no_markdown_left() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runbooks");
    let files = std::fs::read_dir(folder).expect("the runbooks are there");
    let mut seen = 0;
    for file in files {
        let path = file.expect("it can be listed").path();
        let page = shown(&std::fs::read_to_string(&path).expect("a text"));
        for left in ["](", "`", "<p>#", "<p>*", "&lt;!--"] {
            assert!(!page.contains(left), "{left} is left of {path:?}:\n{page}");
        }
        has(&page, "</a>:</p>\n<pre><code>");
        assert_eq!(well_formed(&page), Ok(()), "{path:?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen} runbooks");
}
