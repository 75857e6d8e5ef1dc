//! Streams beside a link's frames.

use std::time::Duration;

use bytes::Bytes;
use hexode_tunnel::{Broken, Class, Command, Event, LinkId, Stream};
use tokio::{runtime::Runtime, sync::oneshot, time::timeout};
use wire::DeviceId;

use crate::harness::{Device, LIMIT, linked};

impl Device {
    fn open(&self, device: DeviceId, link: LinkId, opening: &[u8]) -> oneshot::Receiver<Stream> {
        let (answer, stream) = oneshot::channel();
        self.send(Command::Open { device, link, class: Class::File, opening: opening.to_vec(), answer });
        stream
    }

    fn until_stream(&self) -> (Vec<u8>, Stream) {
        self.until(|event| match event {
            Event::Stream { opening, stream, .. } => Some((opening, stream)),
            _ => None,
        })
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs what must not take for ever.
fn run<T>(what: impl Future<Output = T>) -> T {
    runtime().block_on(async { timeout(LIMIT, what).await.expect("in time") })
}

#[test]
fn a_stream_says_what_for_and_carries_both_ways() {
    let ((ann, link), (ben, _)) = linked();
    let asked = ann.open(ben.id, link, b"for beans");
    let (opening, mut bens) = ben.until_stream();
    assert_eq!(opening, b"for beans");
    run(async {
        let mut anns = asked.await.unwrap();
        anns.outlet.write(Bytes::from_static(b"how many?")).await.unwrap();
        let mut question = [0; 9];
        assert!(bens.inlet.read(&mut question).await.unwrap());
        assert_eq!(&question, b"how many?");
        // More than the stream holds, so that both ends work at a time.
        let many: Bytes = (0..5 << 20).map(|at: u32| (at % 251) as u8).collect::<Vec<_>>().into();
        let writing = async {
            bens.outlet.write(many.clone()).await.unwrap();
            drop(bens.outlet);
        };
        let reading = async {
            let mut got = vec![0; many.len()];
            assert!(anns.inlet.read(&mut got).await.unwrap());
            assert!(!anns.inlet.read(&mut [0]).await.unwrap(), "a dropped outlet ends properly");
            got
        };
        let ((), got) = tokio::join!(writing, reading);
        assert!(got == many);
    });
}

/// The other end takes nothing of many streams, and frames come all the same, both ways.
#[test]
fn streams_that_nobody_reads_stop_no_frame() {
    let ((ann, link), (ben, bens_link)) = linked();
    let mut held = Vec::new();
    for _ in 0..3 {
        let asked = ann.open(ben.id, link, b"never read");
        held.push((asked, ben.until_stream().1));
    }
    runtime().block_on(async {
        for (asked, _) in &mut held {
            let mut stream = asked.await.unwrap();
            // It is stuck once the stream's window is full.
            let full = Bytes::from(vec![0; 4 << 20]);
            assert!(timeout(Duration::from_millis(300), stream.outlet.write(full)).await.is_err());
            // Kept, or it would be finished and the other end's window free again.
            std::mem::forget(stream);
        }
    });
    for number in 0..200_u8 {
        ann.frame(ben.id, link, vec![number; 1000]);
        ben.frame(ann.id, bens_link, vec![number; 1000]);
    }
    for number in 0..200_u8 {
        assert_eq!(ben.until_frame()[0], number);
        assert_eq!(ann.until_frame()[0], number);
    }
}

/// Whoever writes a line at a time to one who stands still sends thousands of packets with a few bytes each.
#[test]
fn small_records_that_nobody_reads_do_the_link_no_harm() {
    let ((ann, link), (ben, _)) = linked();
    let open = |what: &[u8]| {
        let asked = ann.open(ben.id, link, what);
        let bens = ben.until_stream().1;
        (run(asked).unwrap(), bens)
    };
    let (mut beat, mut heard) = open(b"read at once");
    let mut unread: Vec<_> = [50, 200].map(|size| (size, open(b"not read"))).into();
    runtime().block_on(async {
        for (size, (anns, _)) in &mut unread {
            for number in 0..5000_u32 {
                anns.outlet.write(vec![number as u8; *size].into()).await.expect("the link is there");
                // What comes after it has arrived, so the next has a packet of its own.
                beat.outlet.write(Bytes::from_static(b".")).await.unwrap();
                assert!(heard.inlet.read(&mut [0]).await.expect("the link is there"));
            }
        }
        for (size, (_, bens)) in &mut unread {
            let mut record = vec![0; *size];
            for number in 0..5000_u32 {
                assert!(bens.inlet.read(&mut record).await.unwrap());
                assert!(record.iter().all(|byte| *byte == number as u8), "{number}");
            }
        }
    });
}

#[test]
fn a_stream_ends_with_its_link_and_none_is_opened_on_one_that_is_gone() {
    let ((ann, link), (ben, _)) = linked();
    let asked = ann.open(ben.id, link, b"soon over");
    let (_, mut bens) = ben.until_stream();
    let mut anns = run(asked).unwrap();
    ann.allow([]);
    ben.until_down(ann.id);
    run(async {
        assert!(bens.inlet.read(&mut [0]).await.is_err());
        anns.outlet.stopped().await;
        assert!(anns.inlet.read(&mut [0]).await.is_err());
    });
    assert!(run(ann.open(ben.id, link, b"too late")).is_err());
}

#[test]
fn room_for_streams_grows_with_those_in_use() {
    let ((ann, link), (ben, _)) = linked();
    let mut held = Vec::new();
    for number in 0..300_u32 {
        let asked = ann.open(ben.id, link, &number.to_be_bytes());
        let (opening, bens) = ben.until_stream();
        assert_eq!(opening, number.to_be_bytes());
        held.push((run(asked).unwrap(), bens));
    }
    // Opened all at once, too.
    let asked: Vec<_> = (0..1000_u32).map(|number| ann.open(ben.id, link, &number.to_be_bytes())).collect();
    let bens: Vec<_> = asked.iter().map(|_| ben.until_stream()).collect();
    assert_eq!(bens.len(), 1000);
    for asked in asked {
        assert!(run(asked).is_ok());
    }
}

#[test]
fn both_ends_of_a_stream_take_the_same_secrets_from_its_session_and_see_the_same_number() {
    let ((ann, link), (ben, _)) = linked();
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let asked = ann.open(ben.id, link, b"secret");
        let (_, bens) = ben.until_stream();
        let anns = run(asked).unwrap();
        assert_eq!(anns.session.stream(), bens.session.stream());
        let secret = anns.session.secret(b"a purpose", b"context").unwrap();
        assert_eq!(*secret, *bens.session.secret(b"a purpose", b"context").unwrap());
        assert_ne!(*secret, *bens.session.secret(b"a purpose", b"another").unwrap());
        assert_ne!(*secret, *bens.session.secret(b"another", b"context").unwrap());
        numbers.push(anns.session.stream());
    }
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn who_lets_go_of_a_stream_says_why_and_an_end_is_told_from_that() {
    let ((ann, link), (ben, _)) = linked();
    let asked = ann.open(ben.id, link, b"reset");
    let (_, mut bens) = ben.until_stream();
    let mut anns = run(asked).unwrap();
    run(async {
        let unwanted = anns.outlet.unwanted();
        bens.inlet.stop(7);
        assert_eq!(unwanted.await, Some(7));
        assert_eq!(anns.outlet.write(Bytes::from_static(b"more")).await, Err(Broken::Let(7)));
        bens.outlet.reset(9);
        assert_eq!(anns.inlet.read(&mut [0]).await, Err(Broken::Let(9)));
    });
    let asked = ann.open(ben.id, link, b"end");
    let (_, mut bens) = ben.until_stream();
    let mut anns = run(asked).unwrap();
    run(async {
        anns.outlet.write(Bytes::from_static(b"all")).await.unwrap();
        anns.outlet.finish();
        assert_eq!(bens.inlet.read(&mut [0; 4]).await, Err(Broken::Cut));
        bens.outlet.finish();
        assert_eq!(anns.inlet.read(&mut [0; 4]).await, Ok(false));
    });
}
