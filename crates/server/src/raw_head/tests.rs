use httparse::Status;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Pieces of heads, sound and not.
fn piece() -> impl Strategy<Value = &'static [u8]> {
    const SOUND: [&[u8]; 8] = [
        b"\r\n",
        b"\r\n\r\n",
        b"content-length: 3",
        b"Transfer-Encoding:chunked\t",
        b"host: x",
        b"x-a:",
        b"\r\nx: \xc3\xa9 y",
        b"POST /a HTTP/1.1\r\n",
    ];
    const ODD: [&[u8]; 12] =
        [b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\x7f", b"#", b"\xff", b"GET", b"4", b","];
    prop_oneof![6 => select(&SOUND[..]), 1 => select(&ODD[..])]
}

proptest! {
    // The odd pieces are rare, so that most heads get far.
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// The number of a finding is the number of a request only if both readers see the same heads.
    #[test]
    fn the_library_sees_no_other_end_of_a_head_than_this_reader(
        pieces in vec(piece(), 0..12),
    ) {
        let bytes = [b"POST /a HTTP/1.1\r\n", pieces.concat().as_slice()].concat();
        let (told, at) = read(&bytes);
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let parsed = httparse::Request::new(&mut fields).parse(&bytes);
        match told {
            Ok(Some(_)) => prop_assert!(matches!(parsed, Ok(Status::Complete(end)) if end == at)),
            Ok(None) => prop_assert!(!matches!(parsed, Ok(Status::Complete(_)))),
            Err(_) => {}
        }
    }
}

/// What a head is found to be, and how many of its bytes told so.
fn read(head: &[u8]) -> (Result<Option<Framing>, HeadFault>, usize) {
    let mut reading = RawHead::default();
    for (at, &byte) in head.iter().enumerate() {
        match reading.push(byte) {
            Ok(None) => {}
            told => return (told, at + 1),
        }
    }
    (Ok(None), head.len())
}

#[test]
fn a_whole_head_says_how_its_body_ends() {
    for (fields, framing) in [
        ("", Framing::Length(0)),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:155\r\n", Framing::Length(155)),
        ("CONTENT-LENGTH: \t007 \t\r\n", Framing::Length(7)),
        ("content-length: 18446744073709551615\r\n", Framing::Length(u64::MAX)),
        ("Transfer-Encoding: Chunked \r\n", Framing::Chunked),
        ("x-content-length: 1\r\ncontent-length-x: 1\r\n", Framing::Length(0)),
        ("content-lengt: x\r\ntransfer-encodings: gzip\r\n", Framing::Length(0)),
        ("x: \u{e9}\t{\"#\": 1}\r\nx:\r\n", Framing::Length(0)),
    ] {
        for before in ["", "\r\n", "\r\n\r\n"] {
            let head = format!("{before}POST /a HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
            let told = read(format!("{head}more").as_bytes());
            assert_eq!(told, (Ok(Some(framing)), head.len()), "{head:?}");
        }
    }
}

#[test]
fn a_head_of_two_readings_is_a_fault() {
    for (head, fault) in [
        ("content-length: 1\r\ntransfer-encoding: chunked", HeadFault::Length),
        ("transfer-encoding: chunked\r\ncontent-length: 1", HeadFault::Length),
        ("content-length: 1\r\ncontent-length: 1", HeadFault::Length),
        ("content-length: 1, 1", HeadFault::Length),
        ("content-length: 1 1", HeadFault::Length),
        ("content-length: +1", HeadFault::Length),
        ("content-length: 0x1", HeadFault::Length),
        ("content-length: ", HeadFault::Length),
        ("content-length: 18446744073709551616", HeadFault::Length),
        ("transfer-encoding: gzip, chunked", HeadFault::Coding),
        ("transfer-encoding: chunked, chunked", HeadFault::Coding),
        ("transfer-encoding: chunk", HeadFault::Coding),
        ("transfer-encoding: chunked x", HeadFault::Coding),
        ("transfer-encoding:", HeadFault::Coding),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", HeadFault::Coding),
        ("x: 1\ny: 2", HeadFault::Line),
        ("x: 1\ry: 2", HeadFault::Line),
        ("x: 1\r\r", HeadFault::Line),
        ("x: 1\0", HeadFault::Line),
        ("x: \u{7f}", HeadFault::Line),
        ("x : 1", HeadFault::Line),
        ("x\t: 1", HeadFault::Line),
        ("x", HeadFault::Line),
        (": 1", HeadFault::Line),
        ("x: 1\r\n folded", HeadFault::Line),
        ("x: 1\r\n\tfolded", HeadFault::Line),
        ("\u{e9}: 1", HeadFault::Line),
    ] {
        let head = format!("POST /a HTTP/1.1\r\n{head}\r\n\r\n");
        assert_eq!(read(head.as_bytes()).0, Err(fault), "{head:?}");
    }
}

#[test]
fn a_request_line_is_three_words_without_a_fragment() {
    for (line, fault) in [
        ("POST /a#b HTTP/1.1\r\n", HeadFault::Fragment),
        ("POST /a\r\n", HeadFault::Line),
        ("POST  /a HTTP/1.1\r\n", HeadFault::Line),
        ("POST /a HTTP/1.1 \r\n", HeadFault::Line),
        ("POST\t/a HTTP/1.1\r\n", HeadFault::Line),
        ("POST /a HTTP/1.1\n", HeadFault::Line),
        ("POST /\0 HTTP/1.1\r\n", HeadFault::Line),
        ("\nPOST /a HTTP/1.1\r\n", HeadFault::Line),
        ("\r\rPOST /a HTTP/1.1\r\n", HeadFault::Line),
    ] {
        assert_eq!(read(line.as_bytes()).0, Err(fault), "{line:?}");
    }
}
