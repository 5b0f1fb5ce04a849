//! `ctr-pipeline probe`: queries the health of a running pipeline, without a shell or curl in the image.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::config::StatusConfig;

/// Timeout for the response.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum bytes read of the response.
const MAX_ANSWER: u64 = 64 << 10;

/// Requests `path` (`/readyz`, `/healthz`) and returns the body of a 200 response.
///
/// # Errors
/// If there is no response, or its status is not 200: the error is the body, which gives the reason.
pub fn ask(status: &StatusConfig, path: &str) -> anyhow::Result<String> {
    let address = reachable(status);
    let target = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .with_context(|| format!("invalid address `{address}`"))?;
    let mut stream =
        TcpStream::connect_timeout(&target, TIMEOUT).with_context(|| format!("no pipeline answers at {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).with_context(|| format!("no response from {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("not an HTTP response")?;
    if head.split_whitespace().nth(1) != Some("200") {
        bail!("{body}");
    }
    Ok(body.to_owned())
}

/// The address to connect to: an address to listen on may be a wildcard.
fn reachable(status: &StatusConfig) -> String {
    let address = status.address();
    match address.strip_prefix("0.0.0.0:").or_else(|| address.strip_prefix("[::]:")) {
        Some(port) => format!("127.0.0.1:{port}"),
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(answer: &'static str) -> StatusConfig {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Read the whole request; otherwise closing would reset the connection before the response is read.
            let mut request = Vec::new();
            let mut piece = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        StatusConfig { host: "0.0.0.0".to_owned(), port }
    }

    #[test]
    fn a_good_answer_is_its_body() {
        let status = answering("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ready\"}");
        assert_eq!(ask(&status, "/readyz").unwrap(), "{\"status\":\"ready\"}");
    }

    #[test]
    fn a_bad_answer_says_why() {
        let status = answering("HTTP/1.1 503 Service Unavailable\r\n\r\nworker 0 is starting");
        assert_eq!(ask(&status, "/readyz").unwrap_err().to_string(), "worker 0 is starting");
    }

    #[test]
    fn nobody_there_is_said() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let status = StatusConfig { host: "127.0.0.1".to_owned(), port: free };
        assert!(ask(&status, "/readyz").unwrap_err().to_string().contains("no pipeline answers"));
    }
}
