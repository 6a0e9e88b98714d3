//! HTTP/1.1 as the real server (gunicorn) speaks it: what it takes, what it refuses with an HTML page, how it answers.
//!
//! The length of a body is its last `Content-Length`; `Transfer-Encoding` is not looked at, so a chunked body is an
//! empty one. Bytes are kept as they came.

pub(crate) mod answer;
pub(crate) mod request;

pub(crate) use answer::Answer;
pub use request::Request;
pub(crate) use request::{ReadFault, read};
