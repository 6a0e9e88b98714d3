//! JSON that is yet to be written: names may stand twice, numbers are text.

use fastrand::Rng;

/// A value.
#[derive(Debug, Clone)]
pub enum Json {
    Raw(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

pub fn named(name: &str, text: &str) -> (String, Json) {
    (name.into(), Json::Text(text.into()))
}

pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

/// How a value is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Without a blank or an escape that is not needed.
    Plain,
    /// With blanks and escapes here and there.
    Varied,
}

/// Writes a value.
pub fn write(rng: &mut Rng, spelling: Spelling, json: &Json, out: &mut Vec<u8>) {
    let blank = |rng: &mut Rng, out: &mut Vec<u8>| {
        if spelling == Spelling::Varied && rng.u8(..30) == 0 {
            out.extend([" ", "\n", "\t\r\n"][rng.usize(..3)].bytes());
        }
    };
    match json {
        Json::Raw(text) => out.extend(text.bytes()),
        Json::Text(text) => write_text(rng, spelling, text, out),
        Json::List(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                out.extend((index > 0).then_some(b','));
                blank(rng, out);
                write(rng, spelling, element, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.extend((index > 0).then_some(b','));
                blank(rng, out);
                write_text(rng, spelling, name, out);
                blank(rng, out);
                out.push(b':');
                write(rng, spelling, value, out);
                blank(rng, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(rng: &mut Rng, spelling: Spelling, text: &str, out: &mut Vec<u8>) {
    let escape = spelling == Spelling::Varied && rng.u8(..12) == 0;
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend([b'\\', character as u8]),
            '\0'..' ' => out.extend(format!("\\u{:04X}", u32::from(character)).bytes()),
            _ if escape && rng.u8(..4) == 0 => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend(format!("\\u{unit:04x}").bytes());
                }
            }
            _ => out.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}
