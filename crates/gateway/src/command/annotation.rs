//! Problems as the workflow commands of GitHub, which shows them at their lines.

use std::fmt::{self, Write as _};

use esbgate_config::Problem;

/// How serious an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Something is wrong.
    Error,
    /// Somebody should look.
    Warning,
    /// For information.
    Notice,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// One annotation, on one line: `::error file=…,line=…,col=…,title=…::message`.
#[derive(Debug)]
pub(super) struct Annotation<'a> {
    pub(super) level: Level,
    pub(super) file: &'a str,
    /// 0 where the whole file is meant.
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) title: &'a str,
    pub(super) message: &'a str,
}

impl fmt::Display for Annotation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "::{} file=", self.level.as_str())?;
        escape(self.file, true, f)?;
        if self.line > 0 {
            write!(f, ",line={},col={}", self.line, self.column)?;
        }
        f.write_str(",title=")?;
        escape(self.title, true, f)?;
        f.write_str("::")?;
        escape(self.message, false, f)
    }
}

/// A line end would begin another command; in a property a comma or a colon would end it.
fn escape(text: &str, property: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '%' => f.write_str("%25")?,
            '\r' => f.write_str("%0D")?,
            '\n' => f.write_str("%0A")?,
            ':' if property => f.write_str("%3A")?,
            ',' if property => f.write_str("%2C")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// The annotation of a problem.
pub(super) fn problem(level: Level, problem: &Problem) -> String {
    let title = if problem.path.is_empty() { "policy" } else { &problem.path };
    let hint = problem.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
    Annotation {
        level,
        file: &problem.file,
        line: problem.line,
        column: problem.column,
        title,
        message: &format!("{}{}", problem.message, hint.unwrap_or_default()),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_its_property_or_its_line() {
        let told = Annotation {
            level: Level::Error,
            file: "a,b:c%.yaml",
            line: 3,
            column: 4,
            title: "x\r\n::error::y",
            message: "100% of a, b: c\nand d\r",
        };
        assert_eq!(
            told.to_string(),
            "::error file=a%2Cb%3Ac%25.yaml,line=3,col=4,title=x%0D%0A%3A%3Aerror%3A%3Ay::100%25 of a, b: c%0Aand d%0D"
        );
        let whole = Problem::of_file("p.yaml", "no");
        assert_eq!(problem(Level::Warning, &whole), "::warning file=p.yaml,title=policy::no");
    }
}
