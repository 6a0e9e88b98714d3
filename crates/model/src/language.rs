//! The two languages of every text that a caller reads.

/// A caller's language, from `Blueking-Language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// Reads the value of `Blueking-Language`. BlueKing's own SDK sends `zh-hans`, `zh-cn` or `en`.
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        match value.and_then(|value| value.get(..2)) {
            Some(start) if start.eq_ignore_ascii_case("zh") => Self::Zh,
            Some(_) | None => Self::En,
        }
    }
}

/// One text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Text {
    /// The text in `language`.
    #[must_use]
    pub fn to(self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_header_is_read_as_bluekings_clients_write_it() {
        assert_eq!(Language::from_header(Some("zh-hans")), Language::Zh);
        assert_eq!(Language::from_header(Some("ZH-CN")), Language::Zh);
        assert_eq!(Language::from_header(Some("en")), Language::En);
        assert_eq!(Language::from_header(Some("é")), Language::En);
        assert_eq!(Language::from_header(None), Language::En);
    }
}
