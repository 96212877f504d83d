//! Vectors written down by hand after the kernel's headers, and laws over arbitrary input.

use proptest::prelude::*;

use super::*;

/// A batch of `count` requests of kind 0x1b, each with a header of four bytes and one attribute.
fn batch(first: u32, count: u8) -> Batch {
    let mut batch = Batch::new(first);
    for number in 0..count {
        batch.push(0x1b, Flags::empty(), |out| {
            out.header(&[9, number]);
            out.u8(3, number);
        });
    }
    batch
}

#[cfg(target_endian = "little")]
mod vectors {
    use super::*;

    #[test]
    fn a_request() {
        #[rustfmt::skip]
        let want = [
            // nlmsghdr: length 28, kind 0x1b, REQUEST|ACK, sequence 5, port 0
            28, 0, 0, 0, 0x1b, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            // the family's header, and an attribute of one byte, both padded
            9, 0, 0, 0,
            5, 0, 3, 0, 0, 0, 0, 0,
        ];
        assert_eq!(batch(5, 1).acknowledged(), want);
    }

    #[test]
    fn a_dump_gets_no_acknowledgement() {
        let mut batch = Batch::new(1);
        batch.push(18, Flags::DUMP, |_| ());
        assert_eq!(batch.acknowledged(), [16, 0, 0, 0, 18, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_request_that_makes_something_keeps_its_flags() {
        let mut batch = Batch::new(1);
        batch.push(20, Flags::CREATE | Flags::EXCL, |_| ());
        assert_eq!(batch.acknowledged()[6..8], [5, 6]);
    }

    #[test]
    fn a_refusal_with_its_text() {
        let text = b"no such thing\0";
        let tlv = [&[18u8, 0, 1, 0][..], text, &[0, 0]].concat();
        for (capped, echo) in [(true, vec![0u8; 16]), (false, [&[28u8, 0, 0, 0][..], &[0; 24]].concat())] {
            let flags: u16 = if capped { 0x300 } else { 0x200 };
            let payload = [&(-22i32).to_ne_bytes()[..], &echo, &tlv].concat();
            let mut datagram = (16 + payload.len() as u32).to_ne_bytes().to_vec();
            datagram.extend([2, 0]);
            datagram.extend(flags.to_ne_bytes());
            datagram.extend([9, 0, 0, 0, 0, 0, 0, 0]);
            datagram.extend(payload);
            let found: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].sequence, 9);
            assert_eq!(found[0].body, Body::Error { errno: -22, text: Some("no such thing".to_owned()) });
        }
    }
}

#[test]
fn a_batch_numbers_its_requests_and_acknowledges_the_last() {
    let mut batch = batch(u32::MAX, 3);
    assert_eq!((batch.len(), batch.sequences()), (3, (u32::MAX, 1)));
    let bytes = batch.acknowledged();
    let length = bytes.len() / 3;
    let flags: Vec<u8> = bytes.chunks(length).map(|message| message[6]).collect();
    assert_eq!(flags, [1, 1, 5]);
    let found: Vec<u32> = messages(bytes).map(|message| message.unwrap().sequence).collect();
    assert_eq!(found, [u32::MAX, 0, 1]);
}

#[test]
fn a_message_of_the_family_has_its_kind_and_all_behind_the_header() {
    let mut batch = batch(5, 2);
    let found: Vec<_> = messages(batch.acknowledged()).map(|message| message.unwrap().body).collect();
    let payload =
        |number| [&[9, number, 0, 0][..], &5u16.to_ne_bytes(), &3u16.to_ne_bytes(), &[number, 0, 0, 0]].concat();
    let (first, second) = (payload(0), payload(1));
    let want = [&first, &second].map(|payload| Body::Data { kind: 0x1b, payload });
    assert_eq!(found, want);
}

/// Everything that reads.
fn every_reader(bytes: &[u8]) {
    for attribute in Attributes(bytes) {
        let _ = (attribute.number(), attribute.as_be16(), attribute.as_text());
        assert!(attribute.nested().count() <= attribute.value.len());
    }
    for message in messages(bytes).flatten() {
        if let Body::Data { payload, .. } = message.body {
            assert!(Attributes(payload).count() <= payload.len());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        every_reader(&bytes);
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = batch(7, 3).acknowledged().to_vec();
        for (index, value) in &changes {
            let at = index.index(bytes.len());
            bytes[at] = *value;
        }
        every_reader(&bytes);
        every_reader(&bytes[16..]);
        bytes.truncate(cut.index(bytes.len()));
        every_reader(&bytes);
    }

    #[test]
    fn attributes_come_back_as_they_went(
        written in proptest::collection::vec((0u16..0x4000, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let mut bytes = Vec::new();
        Writer(&mut bytes).nested(7, |out| written.iter().for_each(|(kind, value)| out.bytes(*kind, value)));
        let outer: Vec<_> = Attributes(&bytes).collect();
        prop_assert_eq!(outer.iter().map(|found| found.kind).collect::<Vec<_>>(), [7]);
        let found: Vec<_> = outer[0].nested().map(|found| (found.kind, found.value.to_vec())).collect();
        prop_assert_eq!(found, written);
    }
}
