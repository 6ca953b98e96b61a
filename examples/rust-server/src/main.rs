//! Answers `GET /` with how often it has been asked, and `GET /health` with `ok`. Listens on `$PORT`, or 8080.
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

static VISITS: AtomicU64 = AtomicU64::new(0);

fn main() -> io::Result<()> {
    let port = env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}"))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("a connection failed: {error}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(&stream).read_line(&mut request)?;
    let (status, body) = answer(&request);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn answer(request: &str) -> (&'static str, String) {
    match request.split_whitespace().take(2).collect::<Vec<_>>()[..] {
        ["GET", "/"] => {
            let visits = VISITS.fetch_add(1, Ordering::Relaxed) + 1;
            ("200 OK", format!("You are visitor {visits}.\n"))
        }
        ["GET", "/health"] => ("200 OK", "ok\n".to_owned()),
        ["GET", _] => ("404 Not Found", "There is nothing here.\n".to_owned()),
        _ => ("400 Bad Request", "Only GET is understood.\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn paths_and_methods() {
        assert_eq!(answer("GET /health HTTP/1.1\r\n").0, "200 OK");
        assert_eq!(answer("GET /nowhere HTTP/1.1\r\n").0, "404 Not Found");
        assert_eq!(answer("POST / HTTP/1.1\r\n").0, "400 Bad Request");
        assert_eq!(answer("").0, "400 Bad Request");
    }

    #[test]
    fn visits_are_counted() {
        let (first, second) = (
            answer("GET / HTTP/1.1\r\n").1,
            answer("GET / HTTP/1.1\r\n").1,
        );
        assert_ne!(first, second);
    }
}
