//! As much of S3 as a state store asks for, in memory, on loopback: PUT with `If-None-Match: *`,
//! GET, HEAD, DeleteObjects, ListObjectsV2 with a delimiter. It can be told to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How it misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mood {
    #[default]
    Well,
    /// Answers 503 to so many requests.
    Unavailable(usize),
    /// Does the next writes, so many of them, and closes the connection instead of an answer.
    Silent(usize),
    /// Takes requests and never answers.
    Hanging,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Vec<u8>>,
    mood: Mood,
}

/// A running server.
pub struct S3 {
    pub address: SocketAddr,
    bucket: Arc<Mutex<Bucket>>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    create: bool,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    body: Vec<u8>,
}

impl S3 {
    pub fn start() -> S3 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let bucket: Arc<Mutex<Bucket>> = Arc::default();
        let shared = Arc::clone(&bucket);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bucket = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &bucket));
            }
        });
        S3 { address, bucket }
    }

    pub fn behave(&self, mood: Mood) {
        self.locked().mood = mood;
    }

    pub fn objects(&self) -> Vec<String> {
        self.locked().objects.keys().cloned().collect()
    }

    pub fn mood(&self) -> Mood {
        self.locked().mood
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.bucket.lock().expect("no request panicked")
    }
}

/// One connection until either side ends it.
fn serve(stream: &TcpStream, bucket: &Mutex<Bucket>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let mut bucket = bucket.lock().expect("no request panicked");
        let answer = match bucket.mood {
            Mood::Hanging => {
                drop(bucket);
                // Until the client gives up.
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            Mood::Unavailable(left) if left > 0 => {
                bucket.mood = Mood::Unavailable(left - 1);
                status("503 Service Unavailable")
            }
            Mood::Silent(left) if left > 0 && request.method == "PUT" => {
                bucket.mood = Mood::Silent(left - 1);
                bucket.answer(request);
                return;
            }
            _ => bucket.answer(request),
        };
        drop(bucket);
        if write(stream, &answer).is_err() {
            return;
        }
    }
}

impl Bucket {
    fn answer(&mut self, request: Request) -> Answer {
        let key = request
            .path
            .trim_start_matches("/bucket")
            .trim_start_matches('/');
        match request.method.as_str() {
            "PUT" if request.create && self.objects.contains_key(key) => {
                status("412 Precondition Failed")
            }
            "PUT" => {
                self.objects.insert(key.to_owned(), request.body);
                status("200 OK")
            }
            "GET" if key.is_empty() => self.list(&request.query),
            "GET" | "HEAD" => match self.objects.get(key) {
                Some(body) => Answer {
                    status: "200 OK",
                    body: body.clone(),
                },
                None => status("404 Not Found"),
            },
            "POST" if key.is_empty() && request.query.contains_key("delete") => {
                let text = String::from_utf8_lossy(&request.body);
                let mut deleted = String::new();
                for object in text.split("<Key>").skip(1) {
                    let key = object.split("</Key>").next().unwrap_or_default();
                    self.objects.remove(key);
                    deleted += &format!("<Deleted><Key>{key}</Key></Deleted>");
                }
                Answer {
                    status: "200 OK",
                    body: format!("<DeleteResult>{deleted}</DeleteResult>").into_bytes(),
                }
            }
            _ => status("405 Method Not Allowed"),
        }
    }

    /// ListObjectsV2, in one page.
    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let prefix = query.get("prefix").map_or("", String::as_str);
        assert_eq!(query.get("delimiter").map(String::as_str), Some("/"));
        let (mut contents, mut folders) = (String::new(), BTreeMap::new());
        for (key, body) in self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
        {
            match key[prefix.len()..].split_once('/') {
                Some((folder, _)) => {
                    folders.insert(format!("{prefix}{folder}/"), ());
                }
                None => {
                    contents += &format!(
                        "<Contents><Key>{key}</Key><LastModified>2026-01-05T10:00:00.000Z\
                         </LastModified><ETag>\"1\"</ETag><Size>{}</Size></Contents>",
                        body.len()
                    );
                }
            }
        }
        let folders: String = folders
            .keys()
            .map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"))
            .collect();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>\
             <IsTruncated>false</IsTruncated>{contents}{folders}</ListBucketResult>"
        );
        Answer {
            status: "200 OK",
            body: body.into_bytes(),
        }
    }
}

fn status(status: &'static str) -> Answer {
    Answer {
        status,
        body: Vec::new(),
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    let path = decoded(path);
    let (mut length, mut create) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "if-none-match" => create = value.trim() == "*",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        query,
        create,
        body,
    })
}

fn write(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\netag: \"1\"\r\n\
         last-modified: Mon, 05 Jan 2026 10:00:00 GMT\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    stream.write_all(&[head.as_bytes(), &answer.body].concat())
}

/// Percent-decoding.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("keys are text")
}
