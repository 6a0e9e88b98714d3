//! The accept loop of the admin socket.

use std::{sync::Arc, time::Duration};

use esbgate_core::{AdminPeer, Rooms};
use esbgate_server::{LocalListener, LocalPeer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    connection::{Answers, converse, say},
    desk::Desk,
    protocol::{Answer, LONGEST_LINE, LONGEST_ORDER, Operation, Request, VERSION, Versioned},
};

/// Connections at once.
const CONNECTIONS: u64 = 16;

/// How long to wait after a failed accept.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Serves admins until `drain` is cancelled; who is connected then is answered to the end.
pub(crate) async fn serve(listener: LocalListener, desk: Desk, drain: CancellationToken) {
    let (desk, rooms) = (Arc::new(desk), Rooms::default());
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.cancelled() => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (mut stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an admin");
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        let Some(room) = rooms.take(CONNECTIONS) else {
            tracing::warn!(uid = peer.uid, "admin refused: too many are connected");
            let busy = Answer::refused("busy", "too many admins are connected: try again");
            // An empty socket takes a line at once; a peer that is gone needs none.
            say(&mut stream, &busy).await.ok();
            continue;
        };
        let caller = Caller { desk: Arc::clone(&desk), peer: of(peer) };
        let drain = drain.clone();
        open.spawn(async move {
            // An order that is under way is answered; who only rests is not waited for.
            tokio::select! {
                ended = converse(&mut stream, &caller) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "admin connection broke");
                    }
                }
                () = async { drain.cancelled().await; tokio::time::sleep(LAST).await } => {}
            }
            // In this order, so that who sees the end finds room.
            drop(room);
            drop(stream);
        });
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// How long an answer may take once the gateway stops.
const LAST: Duration = Duration::from_secs(1);

fn of(peer: LocalPeer) -> AdminPeer {
    AdminPeer { uid: peer.uid, gid: peer.gid, pid: peer.pid }
}

/// A call, and a value of one, has the room that a script needs; what else is asked for is short.
fn longest(operation: &Operation) -> usize {
    match operation {
        Operation::Explain { .. } | Operation::Lookup { .. } => LONGEST_LINE,
        Operation::Freeze(_)
        | Operation::Unfreeze { .. }
        | Operation::Freezes
        | Operation::Purge { .. }
        | Operation::Drain
        | Operation::Status
        | Operation::Reload
        | Operation::Rollback { .. }
        | Operation::Shadow => LONGEST_ORDER,
    }
}

/// Somebody who is connected.
struct Caller {
    desk: Arc<Desk>,
    peer: AdminPeer,
}

impl Answers for Caller {
    async fn answer(&self, line: &[u8]) -> Answer {
        match serde_json::from_slice::<Versioned>(line) {
            Ok(said) if said.v != VERSION => {
                let message = format!("only version {VERSION} is known");
                return Answer::refused("unknown_version", message);
            }
            // What else is wrong with it is found below.
            Ok(_) | Err(_) => {}
        }
        match serde_json::from_slice::<Request>(line) {
            Ok(Request { operation, .. }) => {
                let longest = longest(&operation);
                if line.len() > longest {
                    let message = format!("a line of this order has at most {longest} bytes");
                    return Answer::refused("too_long", message);
                }
                self.desk.take(operation, self.peer).await
            }
            Err(error) => {
                tracing::warn!(uid = self.peer.uid, "line of an admin is no order");
                // The reader's own words could repeat what the line says, a token too.
                let message = format!("no order of this version, at column {}", error.column());
                Answer::refused("unreadable", message)
            }
        }
    }
}
