//! TLS with certificates from files and made on the spot.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::process::{Installation, Process};
use crate::{Backend, tests};

tests![
    a_certificate_from_files_is_served,
    a_self_signed_certificate_is_made,
    bad_certificates_stop_the_start
];

/// A certificate for localhost in PEM files; returns their paths.
fn certificate(installation: &Installation) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let path = |name: &str| installation.folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The status line of `GET /healthz`.
fn health(server: &Process, config: Arc<ClientConfig>) -> std::io::Result<String> {
    let address = server.url.strip_prefix("https://").unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(config, name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn a_certificate_from_files_is_served(on: Backend) {
    let installation = Installation::new(on);
    let (cert, key) = certificate(&installation);
    let server = Process::start(installation.command(&["serve", "--tls-cert", &cert, "--tls-key", &key]));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    assert_eq!(health(&server, client(roots)).unwrap(), "HTTP/1.1 200 OK");
    // The certificate is the given one, so whoever trusts nobody is not answered.
    assert!(health(&server, client(RootCertStore::empty())).is_err());
    // And there is no plain HTTP on that port.
    let mut plain = TcpStream::connect(server.url.strip_prefix("https://").unwrap()).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

fn a_self_signed_certificate_is_made(on: Backend) {
    let installation = Installation::new(on);
    let server = Process::start(installation.command(&["serve", "--tls", "self-signed"]));
    let error = health(&server, client(RootCertStore::empty())).unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

fn bad_certificates_stop_the_start(on: Backend) {
    let installation = Installation::new(on);
    let (cert, key) = certificate(&installation);
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let wrong = installation.folder.path().join("wrong.pem").to_str().unwrap().to_owned();
    std::fs::write(&wrong, other.signing_key.serialize_pem()).unwrap();
    for (cert, key) in [(&cert, &wrong), (&key, &key), (&cert, &cert), (&"/nowhere".to_owned(), &key)] {
        let line = installation.refused(&["serve", "--tls-cert", cert, "--tls-key", key]);
        assert!(line.starts_with("countersign: tls: "), "{line}");
    }
}
