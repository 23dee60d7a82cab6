//! A broker's listener behind TLS and SASL: its certificates by the Java runtime's keytool, its one
//! user with a password by SCRAM and by PLAIN.
//!
//! The broker's certificate is its own authority. The stranger's is one that signed nothing here.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::free_port;

/// Opens the key store. No secret: the store is gone with its test.
const STORE_PASSWORD: &str = "of-the-store";

/// The listener, and what a client needs to know of it.
#[derive(Debug)]
pub struct Secure {
    port: u16,
    store: PathBuf,
    authority: PathBuf,
    stranger: PathBuf,
}

impl Secure {
    /// The user who is let in.
    pub const USER: &str = "kept-reader";
    /// That user's password.
    pub const PASSWORD: &str = "open-sesame-4711";

    /// Makes the certificates in `folder` and finds a port.
    pub(crate) fn prepare(folder: &Path) -> Secure {
        let store = folder.join("broker.p12");
        make_certificate(&store);
        let strange = folder.join("stranger.p12");
        make_certificate(&strange);
        Secure {
            port: free_port(),
            authority: export(&store),
            stranger: export(&strange),
            store,
        }
    }

    /// `host:port`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The authority that vouches for the broker, a PEM file.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// An authority that doesn't, likewise.
    pub fn stranger(&self) -> &Path {
        &self.stranger
    }

    /// What follows in the broker's lists of listeners and of their protocols.
    pub(crate) fn listener(&self) -> (String, &'static str) {
        let listener = format!(",SECURE://{}", self.brokers());
        (listener, ",SECURE:SASL_SSL")
    }

    /// The listener's lines of `server.properties`.
    pub(crate) fn properties(&self) -> String {
        let (user, password) = (Secure::USER, Secure::PASSWORD);
        let modules = "org.apache.kafka.common.security";
        format!(
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512\n\
             listener.name.secure.plain.sasl.jaas.config=\
             {modules}.plain.PlainLoginModule required user_{user}=\"{password}\";\n\
             listener.name.secure.scram-sha-512.sasl.jaas.config=\
             {modules}.scram.ScramLoginModule required;\n\
             listener.name.secure.ssl.keystore.type=PKCS12\n\
             listener.name.secure.ssl.keystore.location={}\n\
             listener.name.secure.ssl.keystore.password={STORE_PASSWORD}\n",
            self.store.display()
        )
    }

    /// What the storage tool is told besides: SCRAM's users are part of the cluster's metadata.
    pub(crate) fn format_arguments(&self) -> [String; 2] {
        let (user, password) = (Secure::USER, Secure::PASSWORD);
        let scram = format!("SCRAM-SHA-512=[name={user},password={password}]");
        ["--add-scram".to_owned(), scram]
    }
}

/// A key and its self-signed certificate for the loopback address, in a new store.
fn make_certificate(store: &Path) {
    let mut command = keytool("-genkeypair", store);
    command.args(["-alias", "kafka", "-keyalg", "EC", "-validity", "30"]);
    command.args(["-dname", "CN=localhost", "-storetype", "PKCS12"]);
    command.args(["-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc:c"]);
    succeed(command);
}

/// The store's certificate as a PEM file beside it.
fn export(store: &Path) -> PathBuf {
    let file = store.with_extension("pem");
    let mut command = keytool("-exportcert", store);
    command
        .args(["-alias", "kafka", "-rfc", "-file"])
        .arg(&file);
    succeed(command);
    file
}

fn keytool(order: &str, store: &Path) -> Command {
    let mut command = Command::new("keytool");
    command.args([order, "-storepass", STORE_PASSWORD, "-keystore"]);
    command.arg(store);
    command
}

#[track_caller]
fn succeed(mut command: Command) {
    let output = command.output().expect("keytool comes with Java");
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
