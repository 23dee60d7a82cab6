//! As much of Amazon's S3 as an object store needs, on loopback, in memory: PUT (also only if
//! nothing is there), GET, LIST (version 2) and DELETE of one bucket; and its bad days.
//!
//! Signatures are not checked. What a request changes is changed before its reply is sent, so that
//! a reply can be lost.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Any time will do: nothing depends on when an object was written.
const WRITTEN: (&str, &str) = ("Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.000Z");

/// How a bucket behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    /// As it should.
    Well,
    /// Every request is answered with 503.
    Unavailable,
    /// What is put is there, but the connection ends without a reply.
    LosesReplies,
}

/// A bucket; serves until the process ends.
#[derive(Debug)]
pub struct Bucket {
    port: u16,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug)]
struct Shelf {
    mood: Mood,
    objects: BTreeMap<String, Vec<u8>>,
    requests: u64,
}

struct Request {
    method: String,
    /// Without the bucket's name and its slash.
    key: String,
    query: Vec<(String, String)>,
    only_if_new: bool,
    body: Vec<u8>,
}

struct Reply {
    status: &'static str,
    body: Vec<u8>,
}

impl Bucket {
    /// Opens an empty one on a free port.
    pub fn start() -> Bucket {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let shelf = Arc::new(Mutex::new(Shelf {
            mood: Mood::Well,
            objects: BTreeMap::new(),
            requests: 0,
        }));
        let shared = Arc::clone(&shelf);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &shelf));
            }
        });
        Bucket { port, shelf }
    }

    /// `[state]` settings that lead here.
    pub fn settings(&self) -> String {
        format!(
            "url = \"s3://bucket/kept\"\n[state.options]\n\
             aws_endpoint = \"http://127.0.0.1:{}\"\naws_allow_http = \"true\"\n\
             aws_region = \"nowhere\"\naws_access_key_id = \"anybody\"\n\
             aws_secret_access_key = \"anything\"\n",
            self.port
        )
    }

    /// From now on.
    pub fn set_mood(&self, mood: Mood) {
        lock(&self.shelf).mood = mood;
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.shelf).objects.keys().cloned().collect()
    }

    /// How many requests came so far, whatever became of them.
    pub fn requests(&self) -> u64 {
        lock(&self.shelf).requests
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests of one connection, until it ends.
fn serve(stream: &TcpStream, shelf: &Mutex<Shelf>) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let Some(reply) = lock(shelf).answer(&request) else {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        };
        let tag = format!("\"{:016x}\"", reply.body.len());
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nETag: {tag}\r\nLast-Modified: {}\r\n\r\n",
            reply.status,
            reply.body.len(),
            WRITTEN.0
        );
        let sent = writer.write_all(head.as_bytes());
        if sent.and_then(|()| writer.write_all(&reply.body)).is_err() {
            return;
        }
    }
}

impl Shelf {
    /// `None`: the reply is lost.
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        self.requests += 1;
        if self.mood == Mood::Unavailable {
            return Some(reply("503 Service Unavailable", ""));
        }
        let asks = |name: &str| request.query.iter().any(|(key, _)| key == name);
        let reply = match request.method.as_str() {
            "PUT" if request.only_if_new && self.objects.contains_key(&request.key) => {
                reply("412 Precondition Failed", "")
            }
            "PUT" => {
                self.objects
                    .insert(request.key.clone(), request.body.clone());
                if self.mood == Mood::LosesReplies {
                    return None;
                }
                reply("200 OK", "")
            }
            "POST" if asks("delete") => self.delete(&request.body),
            "DELETE" => {
                self.objects.remove(&request.key);
                reply("204 No Content", "")
            }
            "GET" if asks("list-type") => self.list(&request.query),
            "GET" => match self.objects.get(&request.key) {
                Some(bytes) => Reply {
                    status: "200 OK",
                    body: bytes.clone(),
                },
                None => reply("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>"),
            },
            _ => reply("501 Not Implemented", ""),
        };
        Some(reply)
    }

    fn delete(&mut self, body: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(body);
        let keys = text.split("<Key>").skip(1);
        let mut done = String::new();
        for key in keys.filter_map(|rest| rest.split_once("</Key>")) {
            self.objects.remove(key.0);
            done += &format!("<Deleted><Key>{}</Key></Deleted>", key.0);
        }
        reply("200 OK", &format!("<DeleteResult>{done}</DeleteResult>"))
    }

    fn list(&self, query: &[(String, String)]) -> Reply {
        let find = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (prefix, delimiter) = (find("prefix"), find("delimiter"));
        let (mut objects, mut folders) = (String::new(), Vec::new());
        for (key, bytes) in &self.objects {
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            match rest.split_once(delimiter).filter(|_| !delimiter.is_empty()) {
                Some((folder, _)) => folders.push(format!("{prefix}{folder}{delimiter}")),
                None => {
                    objects += &format!(
                        "<Contents><Key>{key}</Key><LastModified>{}</LastModified>\
                         <ETag>\"x\"</ETag><Size>{}</Size></Contents>",
                        WRITTEN.1,
                        bytes.len()
                    );
                }
            }
        }
        folders.dedup();
        let folders: Vec<String> = folders
            .iter()
            .map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"))
            .collect();
        let body = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{objects}{}</ListBucketResult>",
            folders.concat()
        );
        reply("200 OK", &body)
    }
}

fn reply(status: &'static str, body: &str) -> Reply {
    Reply {
        status,
        body: body.as_bytes().to_vec(),
    }
}

/// The next request; `None` at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|count| *count > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let key = decode(path.split_once('/').map_or("", |(_, key)| key));
    let query = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    let query = query.collect();
    let (mut length, mut only_if_new) = (0, false);
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "if-none-match" => only_if_new = value.trim() == "*",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        key,
        query,
        only_if_new,
        body,
    })
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|pair| str::from_utf8(pair).ok());
        match code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
