//! The other end of the admin socket.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::admin::protocol::{Answer, LONGEST_LINE, VERSION};

/// Until the gateway has answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer that is read: what a thousand rules each lack, in a hundred places.
const LONGEST: u64 = 64 << 20;

/// Gives one order; the error says what to do.
pub(in crate::command) fn ask(socket: &Path, operation: &Value) -> Result<Answer, String> {
    let mut stream = UnixStream::connect(socket).map_err(|error| absent(socket, &error))?;
    let line = format!("{}\n", json!({"v": VERSION, "operation": operation}));
    if line.len() > LONGEST_LINE {
        return Err(format!(
            "the order is longer than the {LONGEST_LINE} bytes that a gateway reads; a call of this size can be explained \
             offline, with --policy or --config in the place of --socket"
        ));
    }
    let said = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| stream.write_all(line.as_bytes()));
    let mut answer = String::new();
    // A gateway that refuses may have closed before it has read all; its answer is there all the same.
    let read = BufReader::new(stream).take(LONGEST).read_line(&mut answer);
    if answer.is_empty() {
        let why = said
            .err()
            .or(read.err())
            .map_or("it closed the connection".into(), |error| error.to_string());
        return Err(format!("the gateway gave no answer: {why}. Look at its log"));
    }
    serde_json::from_str(&answer)
        .map_err(|_| "the gateway's answer is of another version than this command".into())
}

fn absent(socket: &Path, error: &io::Error) -> String {
    let (socket, kind) = (socket.display(), error.kind());
    if kind == io::ErrorKind::NotFound {
        return format!(
            "there is no admin socket at {socket}: is the gateway running, and has its esbgate.yaml \
             `admin: {{socket: {socket}}}`? Name another with --socket or --config"
        );
    }
    if kind == io::ErrorKind::PermissionDenied {
        return format!(
            "no right to use {socket}: run this as the gateway's user, or as a member of the socket's \
             group"
        );
    }
    if kind == io::ErrorKind::ConnectionRefused {
        return format!("nobody listens at {socket}: the gateway was ended; start it again");
    }
    format!("cannot reach the gateway at {socket}: {error}")
}
