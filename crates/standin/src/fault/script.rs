//! What a fault does to one answer, as a list of steps on the wire, and the player of such lists.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Echo, Fault, Hit};
use crate::http::Answer;
use crate::http::answer::{Framing, chunk};
use crate::wire::Wire;

/// One step on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Write(Vec<u8>),
    /// The same bytes until so many have been written.
    Fill(u8, u64),
    /// The same bytes until the peer leaves.
    Forever(Vec<u8>),
    /// Nothing, until released or until the peer leaves.
    Hold,
    Fin,
    Reset,
}

const HUGE_OPEN: &[u8] =
    b"{\"result\":true,\"code\":0,\"message\":\"\",\"data\":null,\"padding\":\"";
const HUGE_CLOSE: &[u8] = b"\"}";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const FILL: usize = 16 * 1024;

/// The steps by which `fault` sends, or does not send, `answer`.
pub(crate) fn script(fault: &Fault, answer: &Answer, keep: bool) -> Vec<Step> {
    let sent = Sent { answer, keep };
    let length = Framing::Length(answer.body.len());
    match fault {
        Fault::Pass
        | Fault::CloseOnAccept
        | Fault::ResetOnAccept
        | Fault::HoldOnAccept
        | Fault::AnswerBeforeRead
        | Fault::HoldBeforeRun
        | Fault::Refuse(_)
        | Fault::Respond { .. } => vec![sent.whole()],
        Fault::Echo(how) => sent.echo(*how),
        Fault::Silence => vec![Step::Hold, sent.whole()],
        Fault::Close => vec![Step::Fin],
        Fault::Reset => vec![Step::Reset],
        Fault::Raw(bytes) => vec![Step::Write(bytes.clone()), Step::Fin],
        Fault::Cut(after) => vec![sent.halves(*after).0, Step::Fin],
        Fault::CutAndReset(after) => vec![sent.halves(*after).0, Step::Reset],
        Fault::Stall(after) => sent.stalled(*after),
        Fault::LengthOff(off) => vec![sent.off_by(*off), Step::Fin],
        Fault::LengthAndChunked => vec![sent.chunked(&Framing::Both(answer.body.len()), true)],
        Fault::Chunked => vec![sent.chunked(&Framing::Chunked, true)],
        Fault::ChunkedCut => vec![sent.chunked(&Framing::Chunked, false), Step::Fin],
        Fault::Interim { status, count } => vec![interim(*status, *count), sent.whole()],
        Fault::SwitchProtocols => vec![Step::Write(SWITCH.to_vec()), sent.whole(), Step::Fin],
        Fault::StatusLine(line) => vec![sent.restated(line)],
        Fault::HugeBody(size) => sent.huge(*size),
        Fault::EndlessBody => sent.endless(),
        Fault::HeaderBomb { fields, size } => vec![sent.framed(&length, &bomb(*fields, *size))],
        Fault::Header(lines) => vec![sent.framed(&length, lines)],
        Fault::GzipLabel => vec![sent.framed(&length, b"Content-Encoding: gzip\r\n")],
        Fault::Twice => vec![sent.whole(), sent.whole()],
    }
}

/// An answer on its way out.
struct Sent<'a> {
    answer: &'a Answer,
    keep: bool,
}

impl Sent<'_> {
    fn whole(&self) -> Step {
        Step::Write(self.answer.encode(self.keep))
    }

    fn head(&self, framing: &Framing, extra: &[u8]) -> Vec<u8> {
        self.answer.head(self.keep, framing, extra)
    }

    fn framed(&self, framing: &Framing, extra: &[u8]) -> Step {
        Step::Write([self.head(framing, extra).as_slice(), &self.answer.body].concat())
    }

    fn halves(&self, after: usize) -> (Step, Step) {
        let mut first = self.answer.encode(self.keep);
        let rest = first.split_off(after.min(first.len()));
        (Step::Write(first), Step::Write(rest))
    }

    fn stalled(&self, after: usize) -> Vec<Step> {
        let (first, rest) = self.halves(after);
        vec![first, Step::Hold, rest]
    }

    fn off_by(&self, off: i64) -> Step {
        let off = isize::try_from(off).unwrap_or_default();
        let told = self.answer.body.len().saturating_add_signed(off);
        self.framed(&Framing::Length(told), b"")
    }

    fn chunked(&self, framing: &Framing, last: bool) -> Step {
        let end: &[u8] = if last { LAST_CHUNK } else { b"" };
        let (head, body) = (self.head(framing, b""), chunk(&self.answer.body));
        Step::Write([&head, body.as_slice(), end].concat())
    }

    /// A chunk boundary after every third byte lies inside any credential worth its name.
    fn echo(&self, how: Echo) -> Vec<Step> {
        if how != Echo::Split {
            return vec![self.whole()];
        }
        let mut bytes = self.head(&Framing::Chunked, b"");
        self.answer.body.chunks(3).for_each(|part| bytes.extend(chunk(part)));
        bytes.extend_from_slice(LAST_CHUNK);
        vec![Step::Write(bytes)]
    }

    fn restated(&self, line: &str) -> Step {
        let whole = self.answer.encode(self.keep);
        let end = whole.windows(2).position(|two| two == b"\r\n").unwrap_or_default();
        Step::Write([line.as_bytes(), whole.get(end..).unwrap_or_default()].concat())
    }

    fn huge(&self, size: u64) -> Vec<Step> {
        let around = u64::try_from(HUGE_OPEN.len() + HUGE_CLOSE.len()).unwrap_or_default();
        let size = size.max(around);
        let told = usize::try_from(size).unwrap_or(usize::MAX);
        let head = self.head(&Framing::Length(told), b"");
        vec![
            Step::Write([&head, HUGE_OPEN].concat()),
            Step::Fill(b'x', size - around),
            Step::Write(HUGE_CLOSE.to_vec()),
        ]
    }

    fn endless(&self) -> Vec<Step> {
        let start = [self.head(&Framing::Chunked, b""), chunk(HUGE_OPEN)].concat();
        vec![Step::Write(start), Step::Forever(chunk(&[b'x'; FILL]))]
    }
}

fn interim(status: u16, count: usize) -> Step {
    Step::Write(format!("HTTP/1.1 {status} Interim\r\n\r\n").repeat(count).into_bytes())
}

fn bomb(fields: usize, size: usize) -> Vec<u8> {
    let value = "x".repeat(size);
    (0..fields).flat_map(|nth| format!("X-Bomb-{nth}: {value}\r\n").into_bytes()).collect()
}

/// Whether a connection may go on after its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    GoOn,
    Over,
}

/// Plays the steps; a peer that has left ends them.
pub(crate) async fn play(wire: &mut Wire, steps: Vec<Step>, hit: &Hit) -> After {
    for step in steps {
        let after = match step {
            Step::Write(bytes) => goes_on(wire.write_all(&bytes).await),
            Step::Fill(byte, count) => fill(wire, byte, count).await,
            Step::Forever(bytes) => loop {
                if wire.write_all(&bytes).await.is_err() {
                    break After::Over;
                }
            },
            Step::Hold => hold(wire, hit).await,
            Step::Fin => {
                wire.end().await;
                After::Over
            }
            Step::Reset => {
                wire.flush_and_reset().await;
                After::Over
            }
        };
        if after == After::Over {
            return After::Over;
        }
    }
    After::GoOn
}

fn goes_on(written: std::io::Result<()>) -> After {
    if written.is_ok() { After::GoOn } else { After::Over }
}

async fn fill(wire: &mut Wire, byte: u8, mut count: u64) -> After {
    let block = [byte; FILL];
    while count > 0 {
        let size = usize::try_from(count).unwrap_or(FILL).min(FILL);
        if wire.write_all(block.get(..size).unwrap_or_default()).await.is_err() {
            return After::Over;
        }
        count -= u64::try_from(size).unwrap_or(count);
    }
    After::GoOn
}

async fn hold(wire: &mut Wire, hit: &Hit) -> After {
    if wire.flush().await.is_err() {
        return After::Over;
    }
    let mut scrap = [0; 1024];
    loop {
        tokio::select! {
            () = hit.released() => return After::GoOn,
            read = wire.read(&mut scrap) => if matches!(read, Ok(0) | Err(_)) {
                return After::Over;
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fault: &Fault) -> Vec<Step> {
        script(fault, &Answer::json(200, b"{\"result\":true}".to_vec()), false)
    }

    fn text(step: &Step) -> String {
        let Step::Write(bytes) = step else { panic!("{step:?} writes nothing") };
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn a_huge_body_is_as_long_as_it_says() {
        let steps = sent(&Fault::HugeBody(1000));
        let body_of = |text: &str| text.split("\r\n\r\n").nth(1).map_or(0, str::len);
        let [head, Step::Fill(b'x', fill), tail] = steps.as_slice() else { panic!("{steps:?}") };
        assert!(text(head).contains("Content-Length: 1000\r\n"));
        assert_eq!(body_of(&text(head)) as u64 + fill + text(tail).len() as u64, 1000);
    }

    #[test]
    fn a_stalled_answer_is_whole_in_the_end() {
        let [first, Step::Hold, rest] = &sent(&Fault::Stall(20))[..] else { panic!() };
        assert_eq!(text(first).len(), 20);
        assert!((text(first) + &text(rest)).ends_with("\r\n\r\n{\"result\":true}"));
    }

    #[test]
    fn a_length_can_be_off_both_ways() {
        assert!(text(&sent(&Fault::LengthOff(5))[0]).contains("Content-Length: 20\r\n"));
        assert!(text(&sent(&Fault::LengthOff(-5))[0]).contains("Content-Length: 10\r\n"));
    }

    #[test]
    fn a_status_line_is_replaced_as_a_whole() {
        let written = text(&sent(&Fault::StatusLine("ICY 99999".into()))[0]);
        assert!(written.starts_with("ICY 99999\r\nServer: "));
    }
}
