use esbgate_core::{Departed, Pending};

fn again(pending: Pending) -> (Departed, Departed) {
    (pending.depart(), pending.depart())
}

fn main() {}
