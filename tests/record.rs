//! The record layer through its public face: bytes in, records out, and back.

use proptest::prelude::*;
use tower_fastcgi::record::{
    BeginRequest, DecodeError, Decoder, EndRequest, Header, MAX_STREAM_CONTENT, PairError, Pairs,
    ProtocolStatus, RecordType, RequestId, Role, UnknownType, VERSION, put_end_request, put_pair,
    put_record, put_stream, put_stream_end, stream_header,
};

#[test]
fn record_types_have_the_numbers_of_the_specification() {
    let numbers = [
        (1, RecordType::BeginRequest),
        (2, RecordType::AbortRequest),
        (3, RecordType::EndRequest),
        (4, RecordType::Params),
        (5, RecordType::Stdin),
        (6, RecordType::Stdout),
        (7, RecordType::Stderr),
        (8, RecordType::Data),
        (9, RecordType::GetValues),
        (10, RecordType::GetValuesResult),
        (11, RecordType::UnknownType),
        (0, RecordType::Other(0)),
        (12, RecordType::Other(12)),
        (255, RecordType::Other(255)),
    ];
    for (number, record_type) in numbers {
        assert_eq!(RecordType::from(number), record_type);
        assert_eq!(u8::from(record_type), number);
    }
}

#[test]
fn the_five_streams_are_streams_and_nothing_else_is() {
    let streams: Vec<u8> = (0..=255).filter(|&n| RecordType::from(n).is_stream()).collect();
    assert_eq!(streams, [4, 5, 6, 7, 8]);
}

#[test]
fn a_header_stands_on_the_wire_as_section_3_3_lays_it_out() {
    let header = Header {
        record_type: RecordType::Stdin,
        request_id: RequestId::new(0x0203),
        content_length: 0x0405,
        padding_length: 0x06,
    };
    let wire = [1, 5, 0x02, 0x03, 0x04, 0x05, 0x06, 0];
    assert_eq!(header.encode(), wire);
    assert_eq!(Header::decode(wire), Some(header));
}

#[test]
fn the_reserved_byte_of_a_header_may_be_anything() {
    let plain = Header::decode([1, 4, 0, 1, 0, 9, 0, 0]).unwrap();
    for reserved in 0..=255 {
        assert_eq!(Header::decode([1, 4, 0, 1, 0, 9, 0, reserved]), Some(plain));
    }
}

#[test]
fn a_header_of_any_version_but_1_is_none() {
    for version in (0..=255).filter(|&version| version != VERSION) {
        assert_eq!(Header::decode([version, 1, 0, 1, 0, 8, 0, 0]), None);
    }
}

#[test]
fn request_id_0_is_no_request() {
    assert_eq!(RequestId::new(0), None);
    assert_eq!(Header::decode([1, 9, 0, 0, 0, 0, 0, 0]).unwrap().request_id, None);
    for id in 1..=u16::MAX {
        assert_eq!(RequestId::new(id).map(RequestId::value), Some(id));
    }
}

#[test]
fn begin_request_is_role_flags_and_five_reserved_bytes() {
    let begin = BeginRequest { role: 0x0102, keep_conn: true };
    assert_eq!(begin.encode(), [1, 2, 1, 0, 0, 0, 0, 0]);
    assert_eq!(BeginRequest { keep_conn: false, ..begin }.encode(), [1, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(BeginRequest::decode(&[1, 2, 1, 9, 9, 9, 9, 9]), Some(begin));
}

#[test]
fn unknown_flags_of_begin_request_are_ignored() {
    for flags in 0..=255_u8 {
        let begin = BeginRequest::decode(&[0, 1, flags, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(begin, BeginRequest { role: 1, keep_conn: flags % 2 == 1 });
    }
}

#[test]
fn contents_of_fixed_size_are_refused_in_any_other_size() {
    for len in (0..20).filter(|&len| len != 8) {
        let content = vec![0; len];
        assert_eq!(BeginRequest::decode(&content), None);
        assert_eq!(EndRequest::decode(&content), None);
        assert_eq!(UnknownType::decode(&content), None);
    }
}

#[test]
fn end_request_is_two_statuses_and_three_reserved_bytes() {
    let end = EndRequest { app_status: 0x0102_0304, protocol_status: ProtocolStatus::UnknownRole };
    assert_eq!(end.encode(), [1, 2, 3, 4, 3, 0, 0, 0]);
    assert_eq!(EndRequest::decode(&[1, 2, 3, 4, 3, 7, 7, 7]), Some(end));
}

#[test]
fn unknown_type_is_the_type_and_seven_reserved_bytes() {
    assert_eq!(UnknownType(77).encode(), [77, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(UnknownType::decode(&[77, 1, 1, 1, 1, 1, 1, 1]), Some(UnknownType(77)));
}

#[test]
fn protocol_statuses_have_the_numbers_of_the_specification() {
    let named = [
        ProtocolStatus::RequestComplete,
        ProtocolStatus::CantMpxConn,
        ProtocolStatus::Overloaded,
        ProtocolStatus::UnknownRole,
    ];
    for (number, status) in (0..).zip(named) {
        assert_eq!(ProtocolStatus::from(number), status);
    }
    for number in 0..=255 {
        assert_eq!(u8::from(ProtocolStatus::from(number)), number);
    }
}

#[test]
fn roles_have_the_numbers_of_the_specification() {
    for (number, role) in [(1, Role::Responder), (2, Role::Authorizer), (3, Role::Filter)] {
        assert_eq!(Role::new(number), Some(role));
        assert_eq!(role.value(), number);
    }
    for number in [0, 4, 255, 256, 257, 0x0100, u16::MAX] {
        assert_eq!(Role::new(number), None);
    }
}

#[test]
fn every_record_type_decodes_whatever_its_padding() {
    for padding in 0..=255 {
        for raw in one_of_each(padding) {
            assert_eq!(decode(&[&raw.wire()]), [raw.expected()], "{raw:?}");
        }
    }
}

#[test]
fn input_cut_at_any_byte_decodes_to_the_same_records() {
    let (wire, expected) = sample();
    for at in 0..=wire.len() {
        let (front, back) = wire.split_at(at);
        assert_eq!(decode(&[front, back]), expected, "cut at {at}");
    }
}

#[test]
fn input_cut_at_any_two_bytes_of_a_short_record_decodes_to_the_same_record() {
    for raw in one_of_each(3) {
        let wire = raw.wire();
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
                assert_eq!(decode(&chunks), [raw.expected()], "{raw:?} cut at {first}, {second}");
            }
        }
    }
}

#[test]
fn input_byte_by_byte_decodes_to_the_same_records() {
    let (wire, expected) = sample();
    let chunks: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(decode(&chunks), expected);
}

#[test]
fn only_the_end_of_a_record_and_its_padding_is_a_boundary() {
    for padding in [0, 1, 7, 255] {
        for raw in one_of_each(padding) {
            let wire = raw.wire();
            for len in 0..=wire.len() {
                let is_boundary = len == 0 || len == wire.len();
                assert_eq!(boundary_after(&[&wire[..len]]), is_boundary, "{raw:?} up to {len}");
            }
        }
    }
}

#[test]
fn a_boundary_is_seen_though_the_record_came_in_two_pieces() {
    for raw in one_of_each(0) {
        let wire = raw.wire();
        for at in 1..wire.len() {
            assert!(boundary_after(&[&wire[..at], &wire[at..]]), "{raw:?} cut at {at}");
        }
    }
}

#[test]
fn contents_of_streams_are_handed_on_from_the_input_without_a_copy() {
    let raw = Raw::new(5, 1, vec![7; 65_535], 0);
    let wire = raw.wire();
    let mut decoder = Decoder::new();
    for (at, chunk) in wire.chunks(1000).enumerate() {
        let mut input = chunk;
        while let Some(fragment) = decoder.decode(&mut input).unwrap() {
            let offset = fragment.content.as_ptr().addr() - chunk.as_ptr().addr();
            assert!(offset + fragment.content.len() <= chunk.len(), "chunk {at} was copied");
        }
    }
}

#[test]
fn content_of_streams_is_given_as_far_as_it_came() {
    let wire = Raw::new(4, 1, b"abcdef".to_vec(), 2).wire();
    let mut decoder = Decoder::new();
    let mut input = &wire[..10];
    let fragment = decoder.decode(&mut input).unwrap().unwrap();
    assert_eq!((fragment.header.content_length, fragment.content), (6, &b"ab"[..]));
    assert_eq!(decoder.decode(&mut input), Ok(None));
}

#[test]
fn management_records_come_whole_though_they_are_cut() {
    let content = vec![b'v'; 65_535];
    let raw = Raw::new(9, 0, content.clone(), 9);
    let wire = raw.wire();
    let mut decoder = Decoder::new();
    let mut whole = Vec::new();
    for chunk in wire.chunks(4096) {
        let mut input = chunk;
        while let Some(fragment) = decoder.decode(&mut input).unwrap() {
            whole.push(fragment.content.to_vec());
        }
    }
    assert_eq!(whole, [content]);
}

#[test]
fn input_is_taken_whole_before_more_is_asked_for() {
    let (wire, _) = sample();
    for len in 0..wire.len() {
        let mut decoder = Decoder::new();
        let mut input = &wire[..len];
        while decoder.decode(&mut input).unwrap().is_some() {}
        assert!(input.is_empty(), "{} bytes left of {len}", input.len());
    }
}

#[test]
fn a_wrong_version_is_an_error_with_the_eight_bytes_that_came() {
    let good = Raw::new(5, 1, b"body".to_vec(), 3).wire();
    for wrong in
        [*b"GET / HT", *b"\x16\x03\x01\x02\x00\x01\x00\x01", [0; 8], [2, 1, 0, 1, 0, 8, 0, 0]]
    {
        let wire = [&good[..], &wrong[..], &good[..]].concat();
        for at in 0..wire.len() {
            let (front, back) = wire.split_at(at);
            let (records, error) = decode_until_error(&[front, back]);
            assert_eq!(records.len(), 1, "what came before is given");
            assert_eq!(error, Some(DecodeError::Version(wrong)));
        }
    }
}

#[test]
fn fewer_than_eight_bytes_are_no_error_yet() {
    assert_eq!(decode_until_error(&[b"GET / H"]), (vec![], None));
    assert!(!boundary_after(&[b"GET / H"]));
}

#[test]
fn after_an_error_the_same_error_is_returned_for_ever() {
    let mut decoder = Decoder::new();
    let mut input = &b"GET / HTTP/1.1\r\n"[..];
    let error = decoder.decode(&mut input).unwrap_err();
    let good = Raw::new(5, 1, b"body".to_vec(), 0).wire();
    for _ in 0..3 {
        assert_eq!(decoder.decode(&mut &good[..]), Err(error));
    }
    assert!(!decoder.is_at_boundary());
}

#[test]
fn a_fixed_content_of_another_length_is_an_error_before_it_comes() {
    for number in [1, 3, 11] {
        for content_length in [0, 1, 7, 9, 16, 256, 65_535] {
            let [len1, len0] = u16::to_be_bytes(content_length);
            let header = [1, number, 0, 1, len1, len0, 0, 0];
            let (records, error) = decode_until_error(&[&header]);
            let record_type = RecordType::from(number);
            assert!(records.is_empty());
            assert_eq!(error, Some(DecodeError::Length { record_type, content_length }));
        }
    }
}

#[test]
fn decode_errors_say_what_was_wrong() {
    let version = decode_until_error(&[b"GET / HT"]).1.unwrap().to_string();
    assert!(version.contains("version 71"), "{version}");
    let length = decode_until_error(&[&[1, 1, 0, 1, 0, 9, 0, 0]]).1.unwrap().to_string();
    assert!(length.contains("FCGI_BEGIN_REQUEST") && length.contains('9'), "{length}");
}

#[test]
fn lengths_below_128_take_one_byte_and_others_four() {
    for name_len in LENGTHS {
        for value_len in LENGTHS {
            let (name, value) = (vec![b'n'; name_len], vec![b'v'; value_len]);
            let mut wire = Vec::new();
            put_pair(&mut wire, &name, &value);
            let lengths = [name_len, value_len].map(|len| if len < 128 { 1 } else { 4 });
            assert_eq!(wire.len(), lengths[0] + lengths[1] + name_len + value_len);
            assert_eq!(parse(&wire), Ok(vec![(name, value)]));
        }
    }
}

#[test]
fn pairs_stand_on_the_wire_as_section_3_4_lays_them_out() {
    let mut wire = Vec::new();
    put_pair(&mut wire, b"NAME", &[b'v'; 127]);
    assert_eq!(wire[..6], *b"\x04\x7fNAME");
    wire.clear();
    put_pair(&mut wire, b"NAME", &[b'v'; 128]);
    assert_eq!(wire[..9], *b"\x04\x80\x00\x00\x80NAME");
    wire.clear();
    put_pair(&mut wire, &[b'n'; 0x0001_0000], b"");
    assert_eq!(wire[..6], *b"\x80\x01\x00\x00\x00n");
}

#[test]
fn a_short_length_may_be_written_in_four_bytes() {
    assert_eq!(
        parse(b"\x80\x00\x00\x01\x80\x00\x00\x02avv"),
        Ok(vec![(b"a".to_vec(), b"vv".to_vec())])
    );
    assert_eq!(parse(b"\x80\x00\x00\x00\x80\x00\x00\x00"), Ok(vec![(vec![], vec![])]));
}

#[test]
fn pairs_keep_their_order_their_duplicates_and_their_bytes() {
    let pairs = [
        (&b"A"[..], &b"1"[..]),
        (b"", b""),
        (b"A", b"2"),
        (b"", b"value"),
        (b"B", b"\x00\xff\r\n="),
        (b"A", b"1"),
    ];
    let mut wire = Vec::new();
    pairs.iter().for_each(|(name, value)| put_pair(&mut wire, name, value));
    let parsed: Result<Vec<_>, _> = Pairs::new(&wire).collect();
    assert_eq!(parsed.unwrap(), pairs);
}

#[test]
fn pairs_cut_at_any_byte_within_the_last_are_an_error_after_the_whole_ones() {
    let mut wire = Vec::new();
    put_pair(&mut wire, b"FIRST", b"1");
    let first = wire.len();
    put_pair(&mut wire, &[b'n'; 130], &[b'v'; 200]);
    for len in first + 1..wire.len() {
        let mut pairs = Pairs::new(&wire[..len]);
        assert_eq!(pairs.next(), Some(Ok((&b"FIRST"[..], &b"1"[..]))));
        assert_eq!(pairs.next(), Some(Err(PairError)), "up to {len}");
        assert_eq!(pairs.next(), None);
    }
    assert_eq!(parse(&wire[..first]).unwrap().len(), 1);
}

#[test]
fn lengths_beyond_the_input_are_an_error() {
    for wire in [
        &b"\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x80\x00\x00\x00\xff\xff\xff\xffabc",
        b"\xff\xff\xff\xff\x00abc",
        b"\x01\x7fa",
        b"\x7f\x01",
        b"\x80",
        b"\x00",
        b"\x00\x80\x00\x00",
    ] {
        assert_eq!(parse(wire), Err(PairError), "{wire:?}");
    }
}

#[test]
fn a_stream_is_cut_into_records_of_at_most_65528_bytes() {
    let id = RequestId::new(5).unwrap();
    for len in [1, 65_527, 65_528, 65_529, 2 * 65_528, 200 * 1024] {
        let content: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let mut wire = Vec::new();
        put_stream(&mut wire, RecordType::Stdout, id, &content);
        let records = decode(&[&wire]);
        assert_eq!(records.len(), usize::div_ceil(len, MAX_STREAM_CONTENT));
        assert!(records.iter().all(|(header, _)| header.padding_length == 0));
        assert!(records.iter().all(|(header, _)| header.request_id == Some(id)));
        assert!(records.iter().all(|(_, content)| content.len() <= 65_528));
        let contents: Vec<u8> = records.into_iter().flat_map(|(_, content)| content).collect();
        assert_eq!(contents, content);
    }
}

#[test]
fn empty_content_appends_nothing_and_the_end_of_a_stream_eight_bytes() {
    let id = RequestId::new(0x0102).unwrap();
    let mut wire = Vec::new();
    put_stream(&mut wire, RecordType::Stdout, id, b"");
    assert_eq!(wire, b"");
    put_stream_end(&mut wire, RecordType::Stdout, id);
    assert_eq!(wire, [1, 6, 1, 2, 0, 0, 0, 0]);
}

#[test]
fn end_request_stands_on_the_wire_as_section_5_5_lays_it_out() {
    let mut wire = Vec::new();
    let end = EndRequest { app_status: 9, protocol_status: ProtocolStatus::Overloaded };
    put_end_request(&mut wire, RequestId::new(1).unwrap(), end);
    assert_eq!(wire, [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 9, 2, 0, 0, 0]);
}

#[test]
fn one_record_takes_65535_bytes() {
    let mut wire = Vec::new();
    put_record(&mut wire, RecordType::GetValuesResult, None, &[1; 65_535]);
    assert_eq!(wire[..8], [1, 10, 0, 0, 0xff, 0xff, 0, 0]);
    assert_eq!(wire.len(), 8 + 65_535);
}

#[test]
#[should_panic = "content fits one record"]
fn one_record_does_not_take_65536_bytes() {
    put_record(&mut Vec::new(), RecordType::Stdout, RequestId::new(1), &[0; 65_536]);
}

#[test]
fn a_stream_header_is_that_of_a_record_without_padding() {
    let id = RequestId::new(1).unwrap();
    assert_eq!(stream_header(RecordType::Stdout, id, 65_528), [1, 6, 0, 1, 0xff, 0xf8, 0, 0]);
    assert_eq!(stream_header(RecordType::Stdout, id, 1), [1, 6, 0, 1, 0, 1, 0, 0]);
}

#[test]
fn a_stream_header_is_for_1_to_65528_bytes() {
    let id = RequestId::new(1).unwrap();
    for len in [0, 65_529, 65_536, 65_537, usize::MAX] {
        let header = std::panic::catch_unwind(|| stream_header(RecordType::Stdout, id, len));
        assert!(header.is_err(), "a header for {len} bytes: {header:?}");
    }
}

proptest! {
    #[test]
    fn records_decode_to_themselves_however_their_bytes_are_cut(
        records in prop::collection::vec(any_record(), 0..8),
        cuts in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let wire: Vec<u8> = records.iter().flat_map(Raw::wire).collect();
        let expected: Vec<_> = records.iter().map(Raw::expected).collect();
        let chunks = cut(&wire, &cuts);
        prop_assert_eq!(decode(&chunks), expected);
        prop_assert!(boundary_after(&chunks));
    }

    #[test]
    fn any_bytes_decode_to_records_or_an_error_and_not_for_ever(
        bytes in prop::collection::vec(prop_oneof![3 => 0_u8..12, 1 => any::<u8>()], 0..600),
        cuts in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let whole = decode_until_error(&[&bytes]);
        let chunks = cut(&bytes, &cuts);
        prop_assert_eq!(&decode_until_error(&chunks), &whole, "the cuts change nothing");
        let given: usize = whole.0.iter().map(|(_, content)| Header::LEN + content.len()).sum();
        prop_assert!(given <= bytes.len() + Header::LEN * whole.0.len());
    }

    #[test]
    fn a_header_is_what_it_was(
        number in any::<u8>(), id in any::<u16>(), len in any::<u16>(), padding in any::<u8>(),
    ) {
        let header = Header {
            record_type: number.into(),
            request_id: RequestId::new(id),
            content_length: len,
            padding_length: padding,
        };
        prop_assert_eq!(Header::decode(header.encode()), Some(header));
    }

    #[test]
    fn pairs_parse_to_themselves(
        pairs in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 0..300)),
            0..20,
        ),
    ) {
        let mut wire = Vec::new();
        pairs.iter().for_each(|(name, value)| put_pair(&mut wire, name, value));
        prop_assert_eq!(parse(&wire), Ok(pairs));
    }

    #[test]
    fn any_bytes_parse_to_pairs_within_them(
        bytes in prop::collection::vec(prop_oneof![4 => 0_u8..9, 1 => any::<u8>()], 0..200),
    ) {
        let mut used = 0;
        for pair in Pairs::new(&bytes) {
            let Ok((name, value)) = pair else { return Ok(()) };
            used += 2 + name.len() + value.len();
        }
        prop_assert!(used <= bytes.len());
    }
}

/// A record with whatever padding, and what it is to decode to.
#[derive(Clone, Debug)]
struct Raw {
    number: u8,
    id: u16,
    content: Vec<u8>,
    padding: u8,
}

impl Raw {
    fn new(number: u8, id: u16, content: Vec<u8>, padding: u8) -> Self {
        Self { number, id, content, padding }
    }

    fn wire(&self) -> Vec<u8> {
        let [id1, id0] = self.id.to_be_bytes();
        let [len1, len0] = u16::try_from(self.content.len()).unwrap().to_be_bytes();
        let mut wire = vec![1, self.number, id1, id0, len1, len0, self.padding, 0];
        wire.extend(&self.content);
        wire.extend(vec![0xa5; self.padding.into()]);
        wire
    }

    fn expected(&self) -> Decoded {
        let header = Header {
            record_type: self.number.into(),
            request_id: RequestId::new(self.id),
            content_length: self.content.len() as u16,
            padding_length: self.padding,
        };
        // Nobody needs the content of FCGI_ABORT_REQUEST and of unknown types.
        let is_skipped = matches!(self.number, 0 | 2 | 12..);
        (header, if is_skipped { Vec::new() } else { self.content.clone() })
    }
}

type Decoded = (Header, Vec<u8>);

/// A record of each type, streams with content and at their end.
fn one_of_each(padding: u8) -> Vec<Raw> {
    let mut records: Vec<Raw> =
        [1, 3, 11].map(|n| Raw::new(n, 1, (1..=8).collect(), padding)).into();
    for number in [2, 4, 5, 6, 7, 8, 9, 10, 0, 12, 255] {
        records.push(Raw::new(number, 0x0100, Vec::new(), padding));
        records.push(Raw::new(number, 0xffff, b"\x01content\x01".to_vec(), padding));
    }
    records
}

fn sample() -> (Vec<u8>, Vec<Decoded>) {
    let records: Vec<Raw> = [0, 1, 7].into_iter().flat_map(one_of_each).collect();
    let wire = records.iter().flat_map(Raw::wire).collect();
    (wire, records.iter().map(Raw::expected).collect())
}

fn any_record() -> impl Strategy<Value = Raw> {
    let content = prop::collection::vec(any::<u8>(), 0..700);
    let fixed = prop::collection::vec(any::<u8>(), 8);
    let number = prop_oneof![Just(0_u8), 2..=2_u8, 4..=10_u8, 12..=255_u8];
    let free = (number, any::<u16>(), content, any::<u8>());
    let fixed = (prop::sample::select(vec![1_u8, 3, 11]), any::<u16>(), fixed, any::<u8>());
    prop_oneof![free, fixed].prop_map(|(number, id, content, padding)| Raw {
        number,
        id,
        content,
        padding,
    })
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for len in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (chunk, rest) = bytes.split_at(bytes.len().min(*len));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}

/// The records in the chunks; the fragments of one record joined.
fn decode(chunks: &[&[u8]]) -> Vec<Decoded> {
    let (records, error) = decode_until_error(chunks);
    assert_eq!(error, None);
    records
}

fn decode_until_error(chunks: &[&[u8]]) -> (Vec<Decoded>, Option<DecodeError>) {
    let mut decoder = Decoder::new();
    let mut records: Vec<Decoded> = Vec::new();
    let mut missing = 0;
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Err(error) => return (records, Some(error)),
                Ok(Some(fragment)) if missing > 0 => {
                    assert!(!fragment.content.is_empty(), "an empty part of a record");
                    missing -= fragment.content.len();
                    let (header, content) = records.last_mut().unwrap();
                    assert_eq!(*header, fragment.header);
                    content.extend(fragment.content);
                }
                Ok(Some(fragment)) => {
                    let header = fragment.header;
                    if header.record_type.is_stream() {
                        missing = usize::from(header.content_length) - fragment.content.len();
                    }
                    records.push((header, fragment.content.to_vec()));
                }
            }
        }
    }
    (records, None)
}

fn boundary_after(chunks: &[&[u8]]) -> bool {
    let mut decoder = Decoder::new();
    for chunk in chunks {
        let mut input = *chunk;
        while let Ok(Some(_)) = decoder.decode(&mut input) {}
    }
    decoder.is_at_boundary()
}

type OwnedPairs = Vec<(Vec<u8>, Vec<u8>)>;

fn parse(wire: &[u8]) -> Result<OwnedPairs, PairError> {
    Pairs::new(wire).map(|pair| pair.map(|(name, value)| (name.to_vec(), value.to_vec()))).collect()
}

const LENGTHS: [usize; 10] = [0, 1, 126, 127, 128, 129, 255, 65_535, 65_536, 100_000];
