//! Chromium without a window: what a visit shows and asks for, and how wide a page lies.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use support::Folder;

/// What the reader's system prefers.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    Dark,
    Light,
}

/// A Chromium with a profile of its own.
pub struct Browser {
    folder: Folder,
}

/// What a visit came to.
pub struct Visit {
    /// The document after it was loaded.
    pub document: String,
    /// What the console said.
    pub console: Vec<String>,
    log: String,
}

impl Visit {
    /// Every host and port that this page asked for something, each once. What the browser asks for
    /// by itself (news of its own maker) has no page as its initiator.
    pub fn hosts(&self, page: &str) -> Vec<String> {
        let by_page = format!("\"initiator\":\"http://{page}\"");
        let asked = self.log.lines().filter(|event| event.contains(&by_page));
        let urls = asked.filter_map(|event| event.split_once("\"url\":\"")?.1.split_once("://"));
        let hosts = urls.filter_map(|(_, rest)| rest.split(['/', '"']).next());
        let mut hosts: Vec<String> = hosts.map(str::to_owned).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// How a page lies at some width.
#[derive(Debug)]
pub struct Layout {
    /// As wide as its content wants it, in pixels.
    pub scroll_width: u32,
    /// As high as it is.
    pub height: u32,
    /// The colour behind it.
    pub back: String,
}

impl Browser {
    /// With an empty profile in a folder of this name.
    pub fn new(name: &str) -> Browser {
        Browser {
            folder: Folder::new(name),
        }
    }

    /// Loads a page with everything that it asks for.
    pub fn visit(&self, url: &str) -> Visit {
        let log = self.folder.path().join("net.json");
        let output = self.run(&[
            &format!("--log-net-log={}", log.display()),
            "--dump-dom",
            url,
        ]);
        let said = String::from_utf8_lossy(&output.stderr);
        let console = said.lines().filter(|line| line.contains("CONSOLE"));
        Visit {
            document: String::from_utf8_lossy(&output.stdout).into_owned(),
            console: console.map(str::to_owned).collect(),
            log: fs::read_to_string(log).expect("the browser wrote what it asked for"),
        }
    }

    /// Lays a page out in a frame of this many pixels; its style sheet goes into the document.
    pub fn layout(&self, page: &str, style: &str, width: u32, scheme: Scheme) -> Layout {
        let link = "<link rel=\"stylesheet\" href=\"/page.css\">";
        let page = page.replace(link, &format!("<style>{style}</style>"));
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        let measure = "const page = frame.contentDocument; const root = page.documentElement; \
             out.textContent = ['measured', root.scrollWidth, root.scrollHeight, \
             getComputedStyle(page.body).backgroundColor, 'end'].join('|')";
        let wrapper = format!(
            "<!doctype html><meta charset=\"utf-8\"><pre id=\"out\"></pre>\
             <iframe id=\"frame\" width=\"{width}\" height=\"900\" style=\"border: 0\" srcdoc=\"{page}\"></iframe>\
             <script>frame.onload = () => {{ {measure} }}</script>"
        );
        let path = self.folder.path().join("wrapper.html");
        fs::write(&path, wrapper).expect("the folder can be written");
        let prefers = match scheme {
            Scheme::Dark => "--blink-settings=preferredColorScheme=0",
            Scheme::Light => "--blink-settings=preferredColorScheme=1",
        };
        let url = format!("file://{}", path.display());
        let output = self.run(&[prefers, "--virtual-time-budget=2000", "--dump-dom", &url]);
        let document = String::from_utf8_lossy(&output.stdout);
        let found = document
            .split_once(">measured|")
            .and_then(|(_, rest)| rest.split_once("|end"));
        let (found, _) = found.unwrap_or_else(|| panic!("nothing was measured in\n{document}"));
        let parts: Vec<&str> = found.split('|').collect();
        let pixels = |at: usize| parts[at].parse().expect("a number of pixels");
        Layout {
            scroll_width: pixels(0),
            height: pixels(1),
            back: parts[2].to_owned(),
        }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        let profile: PathBuf = self.folder.path().join("profile");
        let output = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-sync",
            ])
            .args(["--disable-component-update", "--disable-default-apps"])
            // News of its own maker are none of our business: only loopback is found.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .args([
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                "--v=0",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(arguments)
            .output();
        let output = output.expect("chromium is installed: run `tests/install all`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "chromium failed:\n{said}");
        output
    }
}
