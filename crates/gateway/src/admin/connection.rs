//! One connection of the admin socket: bounded lines, each within its time, and an answer to each.

use std::{future::Future, io, time::Duration};

use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    time::timeout,
};

use super::protocol::{Answer, LONGEST_LINE};

/// Until a line is whole, and how long a connection may rest.
pub(super) const LINE_TIME: Duration = Duration::from_secs(5);

/// Until an answer is taken.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Answers lines.
pub(super) trait Answers {
    /// The answer to a line.
    fn answer(&self, line: &[u8]) -> impl Future<Output = Answer> + Send;
}

/// Answers until the other end has said all, says too much or takes too long.
pub(super) async fn converse<S>(stream: S, answers: &impl Answers) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let longest = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
        let mut limited = (&mut stream).take(longest.saturating_add(1));
        let Ok(read) = timeout(LINE_TIME, limited.read_until(b'\n', &mut line)).await else {
            let late = Answer::refused("late", "the line did not arrive in time");
            return say(&mut stream, &late).await;
        };
        read?;
        if line.len() > LONGEST_LINE {
            let message = format!("a line has at most {LONGEST_LINE} bytes");
            return say(&mut stream, &Answer::refused("too_long", message)).await;
        }
        if line.pop() != Some(b'\n') {
            // Nothing more comes, and what came is no whole line.
            return Ok(());
        }
        let answer = answers.answer(&line).await;
        // A token may have stood there.
        zeroize::Zeroize::zeroize(&mut line);
        say(&mut stream, &answer).await?;
    }
}

/// Writes one answer.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    timeout(ANSWER_TIME, stream.write_all(&line)).await.map_err(|_| late())?
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};

    use super::*;

    struct Echo;

    impl Answers for Echo {
        async fn answer(&self, line: &[u8]) -> Answer {
            Answer::refused("echo", line.len().to_string())
        }
    }

    /// What is answered to some bytes, after which the other end is silent.
    async fn said(bytes: &[u8], silent: bool) -> (String, Duration) {
        let (mut ours, theirs) = duplex(2 * LONGEST_LINE);
        let began = Instant::now();
        ours.write_all(bytes).await.unwrap();
        if !silent {
            ours.shutdown().await.unwrap();
        }
        converse(theirs, &Echo).await.unwrap();
        let mut text = String::new();
        ours.read_to_string(&mut text).await.unwrap();
        (text, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn each_whole_line_has_an_answer_and_half_a_line_has_none() {
        let (text, took) = said(b"ab\n\nabc\nhalf", false).await;
        let lengths: Vec<_> = text.lines().map(|line| line.contains("\"echo\"")).collect();
        assert_eq!((lengths.len(), took), (3, Duration::ZERO), "{text}");
        assert!(text.lines().nth(2).unwrap().contains("\"message\":\"3\""), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_falls_silent_is_told_so_and_let_go() {
        for bytes in [&b""[..], b"half a line", b"whole\nhalf"] {
            let (text, took) = said(bytes, true).await;
            assert!(text.ends_with("did not arrive in time\"}}\n"), "{text}");
            assert_eq!(took, LINE_TIME);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_without_end_is_refused_at_its_limit() {
        let (text, took) = said(&vec![b'x'; LONGEST_LINE + 2], true).await;
        assert!(text.contains("too_long"), "{text}");
        assert_eq!(took, Duration::ZERO);
        let longest = [vec![b'x'; LONGEST_LINE - 1], b"\n".to_vec()].concat();
        assert!(said(&longest, false).await.0.contains("\"echo\""));
    }
}
