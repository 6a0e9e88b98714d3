//! The stand-in, driven through raw sockets: what each byte of a request does, and what each fault does to an answer.

#[cfg(test)]
mod esb;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod http;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod job;
#[cfg(test)]
mod login;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod service;
