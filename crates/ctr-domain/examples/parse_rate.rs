//! Prints what parsing the usual event costs, by the quick way and by `serde_json` alone.
//!
//! `cargo run --release -p ctr-domain --example parse_rate`

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use ctr_domain::event::Event;
use ctr_domain::rejection::Rejection;

const USUAL: &[u8] = br#"{"user_id":"user1","product_id":"product1","timestamp":1700000000000,"event_type":"impression","session_id":"session_1001"}"#;
const EVENTS: u32 = 2_000_000;
const ROUNDS: usize = 7;

fn main() {
    print_rate("Event::parse", |payload| Event::parse(payload));
    print_rate("Event::parse_with_serde", |payload| Event::parse_with_serde(payload));
}

/// The best of several rounds: what else the machine does only ever adds.
fn print_rate(name: &str, parse: for<'a> fn(Option<&'a [u8]>) -> Result<Event<'a>, Rejection>) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..EVENTS {
                let _ = black_box(parse(black_box(Some(USUAL))));
            }
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:<24} {:>7.1} ns/event", best.as_secs_f64() * 1e9 / f64::from(EVENTS));
}
