//! Escapes that spell bytes.

/// The escapes of `$'…'`, which can spell any byte.
pub(super) fn ansi_c(quoted: &[u8], text: &mut Vec<u8>) {
    let mut rest = quoted;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let [kind, after @ ..] = rest else { break };
        let (digits, radix, most) = match kind {
            b'x' => (after, 16, 2),
            b'0'..=b'7' => (rest, 8, 3),
            _ => {
                rest = after;
                text.push(match kind {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    other => *other,
                });
                continue;
            }
        };
        let count =
            digits.iter().take(most).take_while(|d| char::from(**d).is_digit(radix)).count();
        let (number, after) = digits.split_at_checked(count).unwrap_or((&[], digits));
        let value = number.iter().fold(0_u32, |value, digit| {
            value * radix + char::from(*digit).to_digit(radix).unwrap_or(0)
        });
        text.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
        rest = after;
    }
}
