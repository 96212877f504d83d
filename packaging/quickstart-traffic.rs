//! The quickstart's servers and its client, in one file that needs nothing but `rustc`.
//!
//! - `serve ADDRESS NAME SICK` answers every HTTP request on ADDRESS with its name; but while there is a file SICK, whoever asks
//!   for /healthz is told that it is unwell.
//! - `ask ADDRESS FILE` asks without pause, each time over a new connection, and writes one line per request to FILE:
//!   `NAME MICROSECONDS`, or `FAILED REASON`. It ends when it is killed.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// A packet lost to a deleted destination is sent again a second or more later; that is slow, but no failure.
const PATIENCE: Duration = Duration::from_secs(10);
const UNWELL: &str = "HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const PACE: Duration = Duration::from_millis(20);

fn serve(address: &str, name: &str, sick: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    let body = format!("{name}\n");
    let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    loop {
        let (mut stream, _) = listener.accept()?;
        let (answer, sick) = (answer.clone(), sick.to_owned());
        thread::spawn(move || {
            let mut request = [0; 4096];
            let mut length = 0;
            while !request[..length].ends_with(b"\r\n\r\n") {
                match stream.read(&mut request[length..]) {
                    Ok(0) | Err(_) => return,
                    Ok(more) => length += more,
                }
            }
            let unwell = request[..length].starts_with(b"GET /healthz ") && Path::new(&sick).exists();
            let answer = if unwell { UNWELL } else { &answer };
            // A client that has gone needs no answer.
            let _ = stream.write_all(answer.as_bytes());
        });
    }
}

fn request(address: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer ended early")?;
    if head.split(' ').nth(1) != Some("200") || body.trim().is_empty() {
        return Err(format!("an odd answer: {answer:?}").into());
    }
    Ok(body.trim().to_owned())
}

fn ask(address: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = address.parse()?;
    let mut log = File::create(file)?;
    loop {
        let start = Instant::now();
        let line = match request(address) {
            Ok(name) => format!("{name} {}\n", start.elapsed().as_micros()),
            Err(error) => format!("FAILED {error}\n"),
        };
        log.write_all(line.as_bytes())?;
        thread::sleep(PACE);
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve", address, name, sick] => serve(address, name, sick),
        ["ask", address, file] => ask(address, file),
        _ => Err("usage: quickstart-traffic serve ADDRESS NAME SICK | ask ADDRESS FILE".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart-traffic: {error}");
            ExitCode::FAILURE
        }
    }
}
