use esbgate_core::JournaledCall;

fn copy(call: &JournaledCall) -> JournaledCall {
    Clone::clone(call)
}

fn main() {}
