//! Records over a transport.

mod reader;
mod writer;

pub(crate) use self::reader::{Block, PollRead, RecordReader, poll_read};
pub(crate) use self::writer::{COPY_MAX, RecordWriter};
