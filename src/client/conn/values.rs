use std::future::poll_fn;
use std::task::{Context, Poll};

use hyper::rt::{Read, Write};

use super::builder::Config;
use super::intake::explain_first;
use crate::alarm::Alarm;
use crate::codec::{RecordReader, RecordWriter};
use crate::error::{Error, Failure, Result};
use crate::record::{Fragment, Pairs, RecordType, put_pair, values};
use crate::trace::debug;

/// What an application says about itself (FCGI_GET_VALUES_RESULT).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Values {
    /// FCGI_MAX_CONNS: how many connections it accepts at a time.
    pub max_conns: Option<u64>,
    /// FCGI_MAX_REQS: how many requests it accepts at a time.
    pub max_reqs: Option<u64>,
    /// FCGI_MPXS_CONNS: whether it takes several requests on a connection at a time.
    pub mpxs_conns: Option<bool>,
}

impl Values {
    fn parse(content: &[u8]) -> Self {
        let mut parsed = Self::default();
        for (name, value) in Pairs::new(content).map_while(|pair| pair.ok()) {
            let number =
                || std::str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok());
            if name == values::MAX_CONNS.as_bytes() {
                parsed.max_conns = number();
            } else if name == values::MAX_REQS.as_bytes() {
                parsed.max_reqs = number();
            } else if name == values::MPXS_CONNS.as_bytes() {
                parsed.mpxs_conns = number().map(|number| number == 1);
            }
        }
        parsed
    }

    /// How many requests a connection may carry at a time, if the client wants no more than `most`.
    pub(super) fn requests(&self, most: usize) -> usize {
        match self.mpxs_conns {
            Some(true) => {
                let reqs = self.max_reqs.and_then(|reqs| usize::try_from(reqs).ok());
                reqs.unwrap_or(most).clamp(1, most)
            }
            _ => 1,
        }
    }
}

/// Asks an application for its values. There are none if it does not answer in time.
///
/// The reader is to be used on: what pads the answer may not have come yet.
pub(super) async fn ask<I: Read + Write + Unpin>(
    io: &mut I,
    config: &Config,
) -> Result<(Option<Values>, RecordReader)> {
    let mut question = Question::new();
    let mut alarm = Alarm::new(config.clock.clone());
    let timeout = config.values_timeout.get();
    let deadline = alarm.now().zip(timeout).and_then(|(now, timeout)| now.checked_add(timeout));
    let values = poll_fn(|cx| {
        if let Poll::Ready(answer) = question.poll(cx, io) {
            return Poll::Ready(answer.map(Some));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        alarm.poll(cx, deadline).map(|()| {
            debug!("FCGI_GET_VALUES was not answered in time");
            Ok(None)
        })
    })
    .await?;
    Ok((values, question.reader))
}

struct Question {
    writer: RecordWriter,
    reader: RecordReader,
}

impl Question {
    fn new() -> Self {
        let mut names = Vec::new();
        for name in [values::MAX_CONNS, values::MAX_REQS, values::MPXS_CONNS] {
            put_pair(&mut names, name.as_bytes(), b"");
        }
        let mut writer = RecordWriter::default();
        writer.management(RecordType::GetValues, &names);
        Self { writer, reader: RecordReader::default() }
    }

    fn poll<I: Read + Write + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut I,
    ) -> Poll<Result<Values>> {
        if let Poll::Ready(Err(error)) = self.writer.poll_flush(cx, io) {
            return Poll::Ready(Err(Error::new_io(error)));
        }
        while let Poll::Ready(read) = self.reader.poll_block(cx, io) {
            let block = read.map_err(Error::new_io)?;
            if block.rest().is_empty() {
                self.reader.recycle(block);
                return Poll::Ready(Err(Error::client(Failure::Closed)));
            }
            let mut rest = block.rest();
            let mut values = None;
            while let Some(fragment) = self.reader.decode(&mut rest).map_err(explain_first)? {
                // Go's has an empty record behind it, as if it were a stream.
                let answer = answer(fragment)?;
                values.get_or_insert(answer);
            }
            self.reader.recycle(block);
            if let Some(values) = values {
                return Poll::Ready(Ok(values));
            }
        }
        Poll::Pending
    }
}

fn answer(fragment: Fragment<'_>) -> Result<Values> {
    match fragment.header.record_type {
        RecordType::GetValuesResult => Ok(Values::parse(fragment.content)),
        // A library that does not know FCGI_GET_VALUES.
        RecordType::UnknownType => Ok(Values::default()),
        unexpected => Err(Error::client(Failure::UnexpectedRecord(unexpected))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Values {
        let mut content = Vec::new();
        for (name, value) in pairs {
            put_pair(&mut content, name.as_bytes(), value.as_bytes());
        }
        Values::parse(&content)
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        let values = parse(&[("FCGI_MAX_CONNS", "10"), ("FCGI_MAX_REQS", "x"), ("OTHER", "1")]);
        assert_eq!(values, Values { max_conns: Some(10), ..Values::default() });
        assert_eq!(parse(&[]), Values::default());
        assert_eq!(Values::parse(b"\x80"), Values::default());
    }

    #[test]
    fn only_an_application_that_says_so_gets_several_requests() {
        assert_eq!(parse(&[("FCGI_MAX_REQS", "50")]).requests(8), 1);
        assert_eq!(parse(&[("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "50")]).requests(8), 1);
        assert_eq!(parse(&[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "50")]).requests(8), 8);
        assert_eq!(parse(&[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "5")]).requests(8), 5);
        assert_eq!(parse(&[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "0")]).requests(8), 1);
        assert_eq!(parse(&[("FCGI_MPXS_CONNS", "1")]).requests(8), 8);
    }
}
