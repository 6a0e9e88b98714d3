//! JSON as the ESB's Python reads it: the last of two equal names wins, `NaN` is a number, integers have
//! no end (contract esb §2). It shares nothing with the gateway's reader.

/// A value. Numbers keep their text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(String),
    Float(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> &[Value] {
        if let Self::List(elements) = self { elements } else { &[] }
    }
}

/// `json.loads`, of a text that is UTF-8.
pub fn loads(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let value = reader.value()?;
    reader.blanks();
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.fault("extra data")) }
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        self.blanks();
        if self.take(word) { Ok(()) } else { Err(self.fault(&format!("no {word:?}"))) }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.blanks();
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float("NaN".into())),
            ("Infinity", Value::Float("Infinity".into())),
            ("-Infinity", Value::Float("-Infinity".into())),
        ] {
            if self.take(word) {
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'[') => self.list(),
            Some(b'{') => self.object(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.fault("no value")),
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut elements = Vec::new();
        self.blanks();
        if self.take("]") {
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value()?);
            self.blanks();
            if self.take("]") {
                return Ok(Value::List(elements));
            }
            self.expect(",")?;
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        self.at += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        self.blanks();
        if self.take("}") {
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.expect(":")?;
            let value = self.value()?;
            members.retain(|(known, _)| *known != name);
            members.push((name, value));
            self.blanks();
            if self.take("}") {
                return Ok(Value::Object(members));
            }
            self.expect(",")?;
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<Value, String> {
        let from = self.at;
        self.take("-");
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return Err(self.fault("no number"));
        }
        let mut float = false;
        if self.take(".") {
            float = true;
            if self.digits() == 0 {
                return Err(self.fault("no fraction"));
            }
        }
        if self.take("e") || self.take("E") {
            float = true;
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() == 0 {
                return Err(self.fault("no exponent"));
            }
        }
        let text = String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned();
        Ok(match (float, text.as_str()) {
            (true, _) => Value::Float(text),
            (false, "-0") => Value::Int("0".into()),
            (false, _) => Value::Int(text),
        })
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take("\"") {
            return Err(self.fault("no string"));
        }
        let mut out = Vec::new();
        loop {
            let byte = self.peek().ok_or_else(|| self.fault("string without end"))?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(out).map_err(|_| self.fault("not UTF-8")),
                b'\\' => self.escape(&mut out)?,
                0..0x20 => return Err(self.fault("control character")),
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let byte = self.peek().ok_or_else(|| self.fault("escape without end"))?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = self.unit()?;
                let mut units = vec![unit];
                if (0xd800..0xdc00).contains(&unit) && self.take("\\u") {
                    units.push(self.unit()?);
                }
                // A lone surrogate has no UTF-8; the gateway must have refused it.
                out.extend(String::from_utf16_lossy(&units).bytes());
                return Ok(());
            }
            _ => return Err(self.fault("unknown escape")),
        };
        out.push(plain);
        Ok(())
    }

    fn unit(&mut self) -> Result<u16, String> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.fault("short \\u"))?;
        let unit = digits.iter().try_fold(0, |unit, digit| {
            char::from(*digit).to_digit(16).map(|digit| unit * 16 + digit as u16)
        });
        self.at += 4;
        unit.ok_or_else(|| self.fault("bad \\u"))
    }
}

#[test]
fn python_keeps_the_last_of_two_names_and_takes_what_rfc_8259_has_not() {
    let read = |text: &str| loads(text.as_bytes());
    let last =
        read(r#"{"a":1,"\u0061":-0,"b":[NaN,1e2,12345678901234567890123],"c":"\ud83d\ude00"}"#);
    let last = last.unwrap();
    assert_eq!(last.get("a"), Some(&Value::Int("0".into())));
    let numbers = last.get("b").unwrap().list();
    assert_eq!(numbers[0], Value::Float("NaN".into()));
    assert_eq!(numbers[1], Value::Float("1e2".into()));
    assert_eq!(numbers[2], Value::Int("12345678901234567890123".into()));
    assert_eq!(last.text("c"), Some("😀"));
    for refused in ["{\"a\":01}", "{\"a\":1,}", "{\"a\":\"\n\"}", "{'a':1}", "{} x", "\u{feff}{}"] {
        assert!(read(refused).is_err(), "{refused}");
    }
}
