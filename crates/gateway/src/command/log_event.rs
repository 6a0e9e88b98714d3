//! One line of the log: the members that `tracing-subscriber`'s JSON has, written at once.
//!
//! Every call has a line of twenty fields. Through its maps and visitors the line costs a tenth of all that a call
//! costs; nothing here opens a span, so nothing of what they are for is needed.

use std::{
    error::Error,
    fmt::{self, Debug},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// `{"timestamp":…,"level":…,"fields":{…},"target":…}`
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(metadata.level().as_str())?;
        writer.write_str("\",\"fields\":{")?;
        let mut fields = Fields { writer: writer.by_ref(), first: true, written: Ok(()) };
        event.record(&mut fields);
        fields.written?;
        writer.write_str("},\"target\":")?;
        text(&mut writer, metadata.target())?;
        writer.write_str("}\n")
    }
}

struct Fields<'w> {
    writer: Writer<'w>,
    first: bool,
    written: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.written.is_ok() {
            self.written = self.name(field).and_then(|()| value(&mut self.writer));
        }
    }

    fn name(&mut self, field: &Field) -> fmt::Result {
        if !std::mem::replace(&mut self.first, false) {
            self.writer.write_char(',')?;
        }
        // `r#type` is the member `type`.
        text(&mut self.writer, field.name().trim_start_matches("r#"))?;
        self.writer.write_char(':')
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, |writer| text(writer, &format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| text(writer, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, |writer| text(writer, &value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |writer| write!(writer, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is no number.
        self.put(field, |writer| match value.is_finite() {
            true => write!(writer, "{value}"),
            false => writer.write_str("null"),
        });
    }
}

/// Writes a string. Most have nothing that JSON escapes.
fn text(writer: &mut Writer<'_>, value: &str) -> fmt::Result {
    if value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return writer.write_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?);
    }
    writer.write_char('"')?;
    writer.write_str(value)?;
    writer.write_char('"')
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, PoisonError},
    };

    use serde_json::{Value, json};
    use tracing_subscriber::{fmt, layer::SubscriberExt as _};

    use super::*;

    #[expect(clippy::disallowed_types, reason = "a test's own")]
    #[derive(Clone, Default)]
    struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of one event, by one of the two writers of lines.
    fn line(ours: bool, say: impl Fn()) -> Value {
        let (kept, plain) = (Kept::default(), fmt::layer().json());
        let to = kept.clone();
        let layer = plain.with_writer(move || to.clone());
        if ours {
            let subscriber = tracing_subscriber::registry().with(layer.event_format(JsonLine));
            tracing::subscriber::with_default(subscriber, say);
        } else {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        }
        let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_says_what_the_library_would_say() {
        let say = || {
            tracing::info!(
                text = "a \"b\" \\ \n\u{1} é",
                none = None::<&str>,
                some = Some(7_u64),
                minus = -3_i64,
                yes = true,
                seconds = 0.002_345_f64,
                huge = f64::INFINITY,
                shown = %Shown,
                debug = ?Some("x"),
                error = &io::Error::other("why") as &(dyn Error + 'static),
                r#type = "t",
                "request ended"
            );
        };
        let (mut ours, mut theirs) = (line(true, say), line(false, say));
        for said in [&mut ours, &mut theirs] {
            let time = said["timestamp"].take();
            assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
        }
        assert_eq!(ours, theirs);
        assert_eq!(ours["fields"]["seconds"], json!(0.002_345));
    }

    struct Shown;

    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("sh\"own")
        }
    }
}
