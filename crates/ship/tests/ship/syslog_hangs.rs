//! Peers that hang: each wait has an end, and what was not taken comes again.

use esbgate_ship::{Confirm, Pass, SinkOptions, SyslogAddress};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream, UnixDatagram},
};

use crate::{
    journal::{IMPATIENCE, Log},
    syslog::{frames, record, syslog, tcp, tls},
};

fn impatient(options: SinkOptions) -> SinkOptions {
    SinkOptions { timeout: IMPATIENCE, ..options }
}

#[tokio::test]
async fn a_peer_that_accepts_and_never_reads_holds_a_sink_no_longer_than_its_timeout() {
    let mut log = Log::new("n1");
    log.calls(500);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = impatient(syslog(tcp(&listener, None), Confirm::Close));
    let (mut shipper, counts) = log.shipper(options);
    let mut held: Vec<TcpStream> = Vec::new();
    for failures in 1..=3 {
        let accept = async { listener.accept().await.unwrap().0 };
        let (pass, stream) = tokio::join!(shipper.pass(), accept);
        held.push(stream);
        assert_eq!(pass, Pass::Failed);
        assert_eq!(counts.of("failures_total"), f64::from(failures));
    }
    assert!(!log.cursors().exists());
    // The first bytes of what it never read are the first bytes of the batch.
    let mut first = [0; 64];
    held[2].read_exact(&mut first).await.unwrap();
    assert!(String::from_utf8_lossy(&first).contains("<110>1 2027"));
}

#[tokio::test]
async fn a_peer_that_never_shakes_hands_holds_a_sink_no_longer_than_its_timeout() {
    let log = Log::new("n1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_, own, _) = tls();
    let options = impatient(syslog(tcp(&listener, Some(own)), Confirm::Sent));
    let (mut shipper, _) = log.shipper(options);
    assert_eq!(shipper.pass().await, Pass::Failed);
}

#[tokio::test]
async fn a_peer_that_never_closes_confirms_nothing_unless_sent_is_enough() {
    let log = Log::new("n1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (confirm, expected) in [(Confirm::Close, Pass::Failed), (Confirm::Sent, Pass::Shipped)] {
        let (mut shipper, _) = log.shipper(impatient(syslog(tcp(&listener, None), confirm)));
        let never = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while read.len() < log.lines[0].len() || !read.ends_with(b"}") {
                assert!(stream.read_buf(&mut read).await.unwrap() > 0);
            }
            assert_eq!(record(&frames(&read)[0]), log.lines[0]);
            stream
        };
        let (pass, _held) = tokio::join!(shipper.pass(), never);
        assert_eq!(pass, expected);
    }
}

#[tokio::test]
async fn a_datagram_receiver_with_a_full_queue_gets_everything_once_it_reads_again() {
    let mut log = Log::new("n1");
    log.calls(400);
    let path = log.folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let options = impatient(syslog(SyslogAddress::Unix(path), Confirm::Close));
    let (mut shipper, _) = log.shipper(options);
    assert_eq!(shipper.pass().await, Pass::Failed, "the queue is full");
    let mut seen = Vec::new();
    let mut buffer = vec![0; 16_384];
    while let Ok(length) = socket.try_recv(&mut buffer) {
        seen.push(record(std::str::from_utf8(&buffer[..length]).unwrap()).to_owned());
    }
    assert!(!seen.is_empty() && seen == log.lines[..seen.len()], "in order as far as it came");
    let read = async {
        let mut again = Vec::new();
        while again.len() < log.lines.len() {
            let length = socket.recv(&mut buffer).await.unwrap();
            again.push(record(std::str::from_utf8(&buffer[..length]).unwrap()).to_owned());
        }
        again
    };
    let (pass, again) = tokio::join!(shipper.pass(), read);
    assert_eq!(pass, Pass::Shipped);
    assert!(again == log.lines);
}
