//! What is wrong with a call: each fault with its place, its rule and a hint, all of them together.

use std::sync::Arc;

use crate::{Base64Fault, CallbackFault, Language, Text};

/// At most this many faults are written out; the rest are counted.
pub(crate) const MOST: usize = 100;

/// The rule that a place breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// The text is not JSON.
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// The body is not UTF-8, or begins with a byte order mark.
    Utf8,
    /// The body is not an object.
    ObjectBody,
    /// A name stands twice in one object.
    Duplicate,
    /// Objects and arrays nest deeper than 32.
    Depth,
    /// A number is beyond what can be passed on exactly.
    NumberRange,
    /// A field that the call needs is missing.
    Required,
    /// A name that the call does not have.
    Unknown {
        /// A known name that is spelled alike.
        suggestion: Option<&'static str>,
    },
    /// A value of the wrong JSON type.
    Type {
        /// What is expected.
        expected: Text,
    },
    /// Not an integer literal nor its decimal text.
    Integer,
    /// An integer or a length outside its range.
    Range {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// A text that is too long.
    Length {
        /// Most.
        max: usize,
        /// `characters`, `bytes` or `elements`.
        unit: &'static str,
    },
    /// Not one of a few values.
    OneOf {
        /// The values.
        values: &'static str,
    },
    /// Not of the form that is told.
    Form {
        /// The form.
        expected: Text,
    },
    /// Not Base64 as JOB decodes it.
    Base64(Base64Fault),
    /// The decoded text is not UTF-8.
    DecodedUtf8,
    /// A line end inside the decoded parameters.
    InnerLineEnd,
    /// A control character in a name.
    ControlCharacter,
    /// Not an IPv4 address in its plain form.
    Ipv4,
    /// Not a callback URL that may be used.
    Callback(CallbackFault),
    /// Two fields say different things.
    Conflict {
        /// The other field.
        with: &'static str,
    },
    /// `null` or empty where JOB would fail after saving the job.
    NotNull,
    /// A field that policy has not turned on for this application.
    SwitchedOff,
    /// A legacy spelling of an identity key.
    Alias {
        /// The right one.
        right: &'static str,
    },
    /// A credential of a kind that is not taken.
    RefusedCredential,
    /// Not a name of an application or a user.
    Name,
    /// Sent more than once.
    Repeated,
    /// A header, or a value of one, that is not taken.
    Header {
        /// What is taken instead.
        expected: Text,
    },
    /// Outside what every grant covers.
    NotGranted,
    /// Granted, but not at this hour.
    OutsideHours {
        /// When a grant holds next: date, hour and zone.
        next: Option<Arc<str>>,
    },
    /// A limit of the policy.
    Limit,
    /// Stopped by a freeze.
    Frozen {
        /// Why, in the language that the admins wrote.
        reason: Arc<str>,
        /// The first instant at which it no longer holds, if it ends.
        until: Option<Box<str>>,
    },
    /// Matched by a risk rule of the policy.
    Risk {
        /// The rule's id.
        rule: Arc<str>,
        /// Line of the decoded text, from 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What the admins say to do, in the language that they wrote.
        hint: Arc<str>,
    },
}

/// The kinds of JSON values, as [`Rule::Type`] expects them.
pub(crate) mod kind {
    use crate::language::Text;

    pub(crate) const STRING: Text = Text { en: "string", zh: "字符串（string）" };
    pub(crate) const INTEGER: Text = Text { en: "integer", zh: "整数（integer）" };
    pub(crate) const BOOLEAN: Text = Text { en: "boolean", zh: "布尔值（boolean）" };
    pub(crate) const ARRAY: Text = Text { en: "array", zh: "数组（array）" };
    pub(crate) const OBJECT: Text = Text { en: "object", zh: "对象（object）" };
    pub(crate) const STRUCTURE: Text = Text { en: "array or object", zh: "数组或对象" };
    pub(crate) const MORE_THAN_BLANK: Text =
        Text { en: "more than white space", zh: "非空白文本" };
}

impl Rule {
    /// Every name that [`Rule::name`] gives, in its order.
    pub const NAMES: &'static [&'static str] = &[
        "json_syntax",
        "utf8",
        "object_body",
        "duplicate_name",
        "nesting_depth",
        "number_range",
        "required",
        "unknown_field",
        "type",
        "integer",
        "range",
        "length",
        "one_of",
        "form",
        "base64",
        "decoded_utf8",
        "inner_line_end",
        "control_character",
        "ipv4",
        "callback_url",
        "conflict",
        "not_null",
        "switched_off",
        "alias",
        "refused_credential",
        "name",
        "repeated",
        "header",
        "not_granted",
        "outside_hours",
        "limit",
        "frozen",
        "risk",
    ];

    /// The stable name in `faults[].rule`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "json_syntax",
            Self::Utf8 => "utf8",
            Self::ObjectBody => "object_body",
            Self::Duplicate => "duplicate_name",
            Self::Depth => "nesting_depth",
            Self::NumberRange => "number_range",
            Self::Required => "required",
            Self::Unknown { .. } => "unknown_field",
            Self::Type { .. } => "type",
            Self::Integer => "integer",
            Self::Range { .. } => "range",
            Self::Length { .. } => "length",
            Self::OneOf { .. } => "one_of",
            Self::Form { .. } => "form",
            Self::Base64(_) => "base64",
            Self::DecodedUtf8 => "decoded_utf8",
            Self::InnerLineEnd => "inner_line_end",
            Self::ControlCharacter => "control_character",
            Self::Ipv4 => "ipv4",
            Self::Callback(_) => "callback_url",
            Self::Conflict { .. } => "conflict",
            Self::NotNull => "not_null",
            Self::SwitchedOff => "switched_off",
            Self::Alias { .. } => "alias",
            Self::RefusedCredential => "refused_credential",
            Self::Name => "name",
            Self::Repeated => "repeated",
            Self::Header { .. } => "header",
            Self::NotGranted => "not_granted",
            Self::OutsideHours { .. } => "outside_hours",
            Self::Limit => "limit",
            Self::Frozen { .. } => "frozen",
            Self::Risk { .. } => "risk",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self, language: Language) -> String {
        match language {
            Language::En => self.english(),
            Language::Zh => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Syntax { line, column } => format!("not JSON at line {line} column {column}"),
            Self::Utf8 => "send UTF-8 without a byte order mark".into(),
            Self::ObjectBody => "the body is one JSON object, from `{` to `}`".into(),
            Self::Duplicate => "the name stands twice in one object; keep one".into(),
            Self::Depth => "nest objects and arrays at most 32 deep".into(),
            Self::NumberRange => "the number is too large to be passed on exactly".into(),
            Self::Required => "the field is required".into(),
            Self::Unknown { suggestion: Some(name) } => {
                format!("there is no such field; did you mean `{name}`?")
            }
            Self::Unknown { suggestion: None } => "there is no such field; remove it".into(),
            Self::Type { expected } => format!("expected {}", expected.en),
            Self::Integer => {
                "write an integer, without fraction, exponent or blanks, within 64 bits".into()
            }
            Self::Range { min, max } => format!("allowed are {min} to {max}"),
            Self::Length { max, unit } => format!("at most {max} {unit}"),
            Self::OneOf { values } => format!("allowed are {values}"),
            Self::Form { expected } => format!("expected {}", expected.en),
            Self::Base64(fault) => format!("not Base64: {}", fault.text().en),
            Self::DecodedUtf8 => "the decoded text is not UTF-8; JOB would corrupt it".into(),
            Self::InnerLineEnd => {
                "a line end inside the parameters; JOB would turn it into a blank".into()
            }
            Self::ControlCharacter => "control characters are not allowed here".into(),
            Self::Ipv4 => "write one IPv4 address, such as 10.0.0.1, without zero padding".into(),
            Self::Callback(fault) => fault.text().en.into(),
            Self::Conflict { with } => format!("says something else than `{with}`; keep one"),
            Self::NotNull => "leave the field out instead of sending null or an empty value".into(),
            Self::SwitchedOff => "the application's policy has not turned this field on".into(),
            Self::Alias { right } => format!("the field is called `{right}`"),
            Self::RefusedCredential => {
                "this kind of credential is not accepted; use bk_app_code, bk_app_secret and bk_token or bk_username".into()
            }
            Self::Name => {
                "1 to 64 of A-Z a-z 0-9 _ . @ -, beginning with a letter, a digit or _".into()
            }
            Self::Repeated => "send it once".into(),
            Self::Header { expected } => format!("expected {}", expected.en),
            Self::NotGranted => "no grant of the application covers this".into(),
            Self::OutsideHours { next: Some(next) } => format!("granted again from {next}"),
            Self::OutsideHours { next: None } => {
                "no hour of the coming 31 days is granted; ask the platform's admins".into()
            }
            Self::Limit => {
                "this limit of the policy is reached; `allow[]` is that of the rule that covers the call"
                    .into()
            }
            Self::Frozen { reason, until: Some(until) } => format!("frozen until {until}: {reason}"),
            Self::Frozen { reason, until: None } => format!("frozen: {reason}"),
            Self::Risk { rule, line, column, hint } => {
                format!("risk rule `{rule}` matches at line {line} column {column}: {hint}")
            }
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::Syntax { line, column } => format!("第 {line} 行第 {column} 列不是合法 JSON"),
            Self::Utf8 => "请使用不带 BOM 的 UTF-8".into(),
            Self::ObjectBody => "请求体应为单个 JSON 对象".into(),
            Self::Duplicate => "同一对象中字段名重复，请只保留一个".into(),
            Self::Depth => "对象和数组最多嵌套 32 层".into(),
            Self::NumberRange => "数值过大，无法精确传递".into(),
            Self::Required => "该字段必填".into(),
            Self::Unknown { suggestion: Some(name) } => {
                format!("没有这个字段，是否想写 `{name}`？")
            }
            Self::Unknown { suggestion: None } => "没有这个字段，请去掉".into(),
            Self::Type { expected } => format!("类型应为{}", expected.zh),
            Self::Integer => "请写 64 位整数，不带小数、指数或空白".into(),
            Self::Range { min, max } => format!("取值范围为 {min} 到 {max}"),
            Self::Length { max, unit: "bytes" } => format!("最多 {max} 字节"),
            Self::Length { max, unit: "elements" } => format!("最多 {max} 个元素"),
            Self::Length { max, .. } => format!("最多 {max} 个字符"),
            Self::OneOf { values } => format!("可选值为 {values}"),
            Self::Form { expected } => format!("应为{}", expected.zh),
            Self::Base64(fault) => format!("不是合法的 Base64：{}", fault.text().zh),
            Self::DecodedUtf8 => "解码后不是 UTF-8，作业平台会损坏该内容".into(),
            Self::InnerLineEnd => "参数中间有换行，作业平台会把它变成空格".into(),
            Self::ControlCharacter => "此处不允许控制字符".into(),
            Self::Ipv4 => "请写一个 IPv4 地址，如 10.0.0.1，不要补零".into(),
            Self::Callback(fault) => fault.text().zh.into(),
            Self::Conflict { with } => format!("与 `{with}` 含义不同，请只保留一个"),
            Self::NotNull => "请去掉该字段，不要传 null 或空值".into(),
            Self::SwitchedOff => "应用的策略未开启该字段".into(),
            Self::Alias { right } => format!("该字段应写作 `{right}`"),
            Self::RefusedCredential => {
                "不接受此类凭据，请使用 bk_app_code、bk_app_secret 以及 bk_token 或 bk_username"
                    .into()
            }
            Self::Name => "1 到 64 个 A-Z a-z 0-9 _ . @ - 字符，以字母、数字或 _ 开头".into(),
            Self::Repeated => "请只发送一次".into(),
            Self::Header { expected } => expected.zh.into(),
            Self::NotGranted => "应用的授权没有覆盖此项".into(),
            Self::OutsideHours { next: Some(next) } => format!("下次授权时段开始于 {next}"),
            Self::OutsideHours { next: None } => {
                "未来 31 天内没有授权时段，请联系平台管理员".into()
            }
            Self::Limit => {
                "已达到策略中的这一限额；`allow[]` 指覆盖本次调用的授权自身的限额".into()
            }
            Self::Frozen { reason, until: Some(until) } => format!("冻结至 {until}：{reason}"),
            Self::Frozen { reason, until: None } => format!("已冻结：{reason}"),
            Self::Risk { rule, line, column, hint } => {
                format!("第 {line} 行第 {column} 列命中风险规则 `{rule}`：{hint}")
            }
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The JSON path, or the name of a header. Bounded; never a value.
    pub path: String,
    /// The rule that is broken.
    pub rule: Rule,
}

/// All faults of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// A single fault.
    #[must_use]
    pub fn one(path: impl Into<String>, rule: Rule) -> Self {
        Self { list: vec![Fault { path: path.into(), rule }], more: 0 }
    }

    /// Adds a fault, or counts it once as many as fit are written out.
    pub fn push(&mut self, path: impl Into<String>, rule: Rule) {
        if self.list.len() < MOST {
            self.list.push(Fault { path: path.into(), rule });
        } else {
            self.more += 1;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Those that are written out.
    #[must_use]
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// How many more there are.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, fault) in self.list.iter().take(3).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}: {}", fault.path, fault.rule.name())?;
        }
        match self.list.len().saturating_sub(3) + self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// One step of a JSON path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// A member of an object.
    Name(&'a str),
    /// An element of an array.
    Index(usize),
}

/// Writes a step behind what is there. A name that is not plain is quoted and cut, so that a path
/// cannot break a line or grow without bound.
pub(crate) fn write_step(path: &mut String, step: Step<'_>) {
    const LONGEST: usize = 64;
    match step {
        Step::Index(index) => {
            path.push('[');
            path.push_str(&index.to_string());
            path.push(']');
        }
        Step::Name(name) => {
            let plain = !name.is_empty()
                && name.len() <= LONGEST
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            } else {
                let cut: String = name.chars().take(LONGEST).collect();
                path.push_str("[\"");
                path.extend(cut.escape_debug());
                path.push_str("\"]");
            }
        }
    }
}

#[cfg(test)]
mod tests;
