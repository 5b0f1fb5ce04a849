//! The client against a server that returns prepared responses.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::config::Config;

fn client_of(answer: &'static str) -> ClickHouse {
    client_at(server_of(answer))
}

fn client_at(urls: String) -> ClickHouse {
    let env = BTreeMap::from([
        ("CTR_JOB_INSTANCE_ID".to_owned(), "t".to_owned()),
        ("CLICKHOUSE_URL".to_owned(), urls),
        ("CLICKHOUSE_REQUEST_TIMEOUT_MS".to_owned(), "1000".to_owned()),
    ]);
    ClickHouse::new(&Config::from_yaml("", &env).unwrap().clickhouse)
}

/// The URL of a server that answers every request with `answer`, in which `{id}` is the ID of the received query.
pub(crate) fn server_of(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            // Read the whole request: closing with unread bytes would reset the connection.
            while !(request.ends_with(b"0\r\n\r\n") || is_whole_without_body(&request)) {
                let read = stream.read(&mut piece).unwrap();
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&piece[..read]);
            }
            let text = String::from_utf8_lossy(&request);
            let id = text.split("query_id=").nth(1).and_then(|rest| rest.split(['&', ' ']).next()).unwrap_or_default();
            let answer = answer.replace("{id}", id).replace('\n', "\r\n").replace('|', "\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

fn is_whole_without_body(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    text.contains("\r\n\r\n") && text.contains("content-length: 0")
}

fn insert(answer: &'static str) -> Result<(), ClickHouseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let chunks = [Bytes::from_static(b"rows of some kind")];
    let rows = Rows { chunks: &chunks, count: 3 };
    runtime.block_on(client_of(answer).insert(rows, Duration::from_secs(1)))
}

fn ping(answer: &'static str) -> Result<(), ClickHouseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client_of(answer).ping(Duration::from_secs(1)))
}

fn said(result: Result<(), ClickHouseError>) -> String {
    result.unwrap_err().to_string()
}

const WRITTEN: &str = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"read_rows\":\"3\",\"written_rows\":\"3\"}\n\
    Content-Length: 0\nConnection: close\n\n";

#[test]
fn an_insert_is_acknowledged_by_the_headers_of_clickhouse() {
    insert(WRITTEN).unwrap();
    // Rows of the views fed by the table count too.
    insert("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"12\"}\nContent-Length: 0\n\n")
        .unwrap();
}

#[test]
fn anything_else_acknowledges_nothing() {
    for answer in [
        "HTTP/1.1 200 OK\nServer: a-proxy\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\nOk.",
        "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: of-somebody-else\nX-ClickHouse-Summary: {\"written_rows\":\"3\"}\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {}\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"2\"}\nContent-Length: 0\n\n",
        "HTTP/1.1 204 No Content\nX-ClickHouse-Query-Id: {id}\n\n",
        "HTTP/1.1 302 Found\nLocation: http://elsewhere/\nContent-Length: 0\n\n",
        "HTTP/1.1 502 Bad Gateway\nServer: nginx\nContent-Length: 6\n\n<html>",
    ] {
        let error = insert(answer).unwrap_err();
        assert_eq!(error.kind(), "not_clickhouse", "{answer}: {error}");
        assert!(error.to_string().contains("`clickhouse.url`"), "{error}");
    }
}

#[test]
fn an_exception_is_one_wherever_it_stands() {
    let header = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Exception-Code: 252\nContent-Length: 37\n\n\
        Code: 252. DB::Exception: Too many pa";
    assert_eq!(said(insert(header)), "Code: 252. DB::Exception: Too many pa");
    let body = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"3\"}\nContent-Length: 8\n\nCode: 1.";
    assert_eq!(insert(body).unwrap_err().kind(), "refused");
    let login = "HTTP/1.1 403 Forbidden\nX-ClickHouse-Exception-Code: 516\nContent-Length: 0\n\n";
    assert_eq!(insert(login).unwrap_err().kind(), "login");
    let old = "HTTP/1.1 404 Not Found\nContent-Length: 47\n\nCode: 81. DB::Exception: Database x is not here";
    assert!(said(insert(old)).contains("`clickhouse.database`"));
}

#[test]
fn a_question_is_answered_by_clickhouse_alone() {
    ping("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 4\n\n[1]|").unwrap();
    assert_eq!(ping("HTTP/1.1 200 OK\nContent-Length: 4\n\n[1]|").unwrap_err().kind(), "not_clickhouse");
    let broken = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 9\n\n[1]|Code:";
    assert!(said(ping(broken)).contains("in the middle of the response: Code:"));
}

#[test]
fn a_line_without_end_is_no_answer_of_clickhouse() {
    let line = "x".repeat(1_500_000);
    let endless = format!("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {{id}}\nContent-Length: 1500000\n\n{line}");
    let error = ping(endless.leak()).unwrap_err();
    assert_eq!(error.kind(), "not_clickhouse");
    assert!(error.to_string().contains("a line of more than 1048576 bytes"), "{error}");
}

#[test]
fn an_answer_that_does_not_end_is_waited_for_no_longer_than_the_setting_says() {
    let error = ping("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 4\n\n").unwrap_err();
    assert!(matches!(error, ClickHouseError::Unreachable(_) | ClickHouseError::TimedOut(_)), "{error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = client_at(format!("http://{}", silent.local_addr().unwrap()));
    assert!(said(runtime.block_on(server.ping(Duration::from_secs(1)))).contains("`clickhouse.request-timeout-ms`"));
}

#[test]
fn of_several_servers_the_next_one_takes_what_the_first_did_not_acknowledge() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stranger = server_of("HTTP/1.1 200 OK\nServer: a-proxy\nContent-Length: 0\n\n");
    let client = client_at(format!("http://127.0.0.1:1,{stranger},{}", server_of(WRITTEN)));
    let chunks = [Bytes::from_static(b"rows of some kind")];
    let insert = || {
        let rows = Rows { chunks: &chunks, count: 3 };
        runtime.block_on(client.insert(rows, Duration::from_secs(1)))
    };
    assert!(said(insert()).contains("http://127.0.0.1:1: "), "the error names the server");
    assert!(said(insert()).contains(&stranger));
    insert().unwrap();
    insert().unwrap();
}

/// ADR 24: any error moves on, wherever in the response it shows.
#[test]
fn an_error_in_the_middle_of_a_response_moves_on_to_the_next_server_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let few = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"2\"}\nContent-Length: 0\n\n";
    let late = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"3\"}\nContent-Length: 8\n\nCode: 1.";
    let client = client_at(format!("{},{},{}", server_of(few), server_of(late), server_of(WRITTEN)));
    let chunks = [Bytes::from_static(b"rows of some kind")];
    let insert = || runtime.block_on(client.insert(Rows { chunks: &chunks, count: 3 }, Duration::from_secs(1)));
    assert!(said(insert()).contains("2 of 3 rows"));
    assert_eq!(said(insert()), "Code: 1.");
    insert().unwrap();
    let broken = server_of("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 9\n\n[1]|Code:");
    let whole = server_of("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 4\n\n[1]|");
    let client = client_at(format!("{broken},{whole}"));
    let ping = || runtime.block_on(client.ping(Duration::from_secs(1)));
    assert!(said(ping()).contains("in the middle of the response"));
    ping().unwrap();
}

#[test]
fn a_start_finds_the_server_that_responds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let second = server_of("HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nContent-Length: 9\n\n[\"26.3\"]|");
    assert_eq!(runtime.block_on(client_at(format!("http://127.0.0.1:1,{second}")).version()).unwrap(), "26.3");
    assert!(
        said(runtime.block_on(client_at("http://127.0.0.1:1,http://127.0.0.1:2".to_owned()).version()).map(|_| ()))
            .contains(":2: ")
    );
}
