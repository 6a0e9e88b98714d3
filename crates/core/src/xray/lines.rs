//! Lines as a rule is matched against them: ends without a carriage return, and joined where one goes on in the next.
//!
//! Both are looked at. Joined, because a command may be spread over lines; unjoined as well, because a comment or a
//! path that ends in `\` joins nothing and must not hide the line after it.

use std::borrow::Cow;

use esbgate_model::ScriptLanguage;

use super::Languages;

/// A text without some pieces of the one that was written.
pub(super) struct Lines<'t> {
    written: &'t [u8],
    text: Cow<'t, [u8]>,
    joins: &'static [u8],
    /// Of joined lines, where a byte stands here and where it stood, wherever the two drift apart.
    drifts: Vec<(usize, usize)>,
    /// The lines that are joined ones, from where to where.
    pub(super) fresh: Vec<(usize, usize)>,
}

impl<'t> Lines<'t> {
    /// With line ends of one byte.
    pub(super) fn written(written: &'t [u8]) -> Self {
        if memchr::memchr(b'\r', written).is_none() {
            let (text, drifts, fresh) = (Cow::Borrowed(written), Vec::new(), Vec::new());
            return Self { written, text, joins: b"", drifts, fresh };
        }
        Self::without(written, b"")
    }

    /// And joined, if a line goes on in the next.
    pub(super) fn joined(written: &'t [u8], languages: Languages) -> Option<Self> {
        let joins: &[u8] =
            match (languages.has(ScriptLanguage::Bat), languages.has(ScriptLanguage::Powershell)) {
                (false, false) => b"\\",
                (true, false) => b"\\^",
                (false, true) => b"\\`",
                (true, true) => b"\\^`",
            };
        let ends = |at: usize| {
            let after = written.get(at + 1..).unwrap_or_default();
            after.starts_with(b"\n") || after.starts_with(b"\r\n")
        };
        let goes_on = joins.iter().any(|sign| memchr::memchr_iter(*sign, written).any(ends));
        goes_on.then(|| Self::without(written, joins))
    }

    fn without(written: &'t [u8], joins: &'static [u8]) -> Self {
        let (mut left, mut drifts, mut seams) = (Vec::new(), Vec::new(), Vec::new());
        let mut from = 0;
        for (start, end) in removals(written, joins) {
            left.extend_from_slice(written.get(from..start).unwrap_or_default());
            from = end;
            if !joins.is_empty() {
                drifts.push((left.len(), end));
            }
            // Without its line end, a line is another one.
            if end.checked_sub(1).and_then(|last| written.get(last)) == Some(&b'\n') {
                seams.push(left.len());
            }
        }
        let text = if from == 0 {
            Cow::Borrowed(written)
        } else {
            left.extend_from_slice(written.get(from..).unwrap_or_default());
            Cow::Owned(left)
        };
        let fresh = lines_with(&text, seams);
        Self { written, text, joins, drifts, fresh }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a byte of the text stood. Walks if no lines are joined, because then it is asked for matches alone.
    pub(super) fn origin(&self, offset: usize) -> usize {
        if !self.joins.is_empty() {
            let after = self.drifts.partition_point(|(here, _)| *here <= offset);
            let drift = after.checked_sub(1).and_then(|at| self.drifts.get(at));
            return drift.map_or(offset, |(here, there)| there + (offset - here));
        }
        let mut origin = offset;
        for (start, end) in removals(self.written, self.joins) {
            if start > origin {
                break;
            }
            origin += end - start;
        }
        origin
    }
}

/// The lines that have these offsets, which ascend; from where to where, those that touch as one.
pub(super) fn lines_with(
    text: &[u8],
    offsets: impl IntoIterator<Item = usize>,
) -> Vec<(usize, usize)> {
    let mut lines: Vec<(usize, usize)> = Vec::new();
    for offset in offsets {
        let last = lines.last().map_or(0, |(_, end)| *end);
        if offset < last {
            continue;
        }
        let before = text.get(last..offset).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(last, |end| last + end + 1);
        let after = text.get(offset..).unwrap_or_default();
        let end = memchr::memchr(b'\n', after).map_or(text.len(), |end| offset + end + 1);
        match lines.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            Some(_) | None => lines.push((start, end)),
        }
    }
    lines
}

/// What is left out of `text`, in order: from where to where.
fn removals<'t>(text: &'t [u8], joins: &'t [u8]) -> impl Iterator<Item = (usize, usize)> + 't {
    memchr::memchr_iter(b'\n', text).filter_map(move |end| {
        let before = |at: usize| at.checked_sub(1).and_then(|at| text.get(at));
        let line = if before(end) == Some(&b'\r') { end - 1 } else { end };
        match before(line) {
            Some(last) if joins.contains(last) => Some((line - 1, end + 1)),
            _ => (line < end).then_some((line, end)),
        }
    })
}
