use esbgate_core::{ChargedCall, JournaledCall, Ticket};

fn forge(charged: ChargedCall, ticket: Ticket) -> JournaledCall {
    JournaledCall { charged, ticket }
}

fn main() {}
