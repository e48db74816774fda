use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;

use super::options::Options;
use crate::failure::{Failure, Outcome};

/// Where the response goes.
#[derive(Debug)]
pub(super) enum Output {
    Stdout,
    /// A file, made with the first bytes.
    File {
        path: PathBuf,
        file: Option<File>,
    },
    /// Kept for a report.
    Kept(Vec<u8>),
}

impl Output {
    pub(super) fn new(options: &Options) -> Self {
        match &options.output {
            Some(path) if path.as_os_str() != "-" => Self::File { path: path.clone(), file: None },
            _ if options.json => Self::Kept(Vec::new()),
            _ => Self::Stdout,
        }
    }

    /// Writes without holding up the connection, for whoever reads standard output may be slow.
    pub(super) async fn write(&mut self, data: Bytes) -> Outcome {
        match self {
            Self::Stdout => in_background(move || write_to_stdout(&data)).await,
            Self::Kept(kept) => {
                kept.extend_from_slice(&data);
                return Ok(());
            }
            Self::File { path, file: opened } => {
                let file = match opened.take() {
                    Some(file) => Ok(file),
                    None => File::create(path),
                };
                let written = match file {
                    Ok(file) => in_background(move || write_to(file, &data)).await,
                    Err(error) => Err(error),
                };
                written.map(|file| *opened = Some(file))
            }
        }
        .map_err(|error| Failure::output(self.name(), &error))
    }

    /// Makes the file of a response without a body, too.
    pub(super) async fn finish(&mut self) -> Outcome {
        match self {
            Self::File { file: None, .. } => self.write(Bytes::new()).await,
            _ => Ok(()),
        }
    }

    /// The body, if it is kept.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        if let Self::Kept(kept) = self { Some(kept) } else { None }
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            _ => "standard output".to_owned(),
        }
    }
}

fn write_to_stdout(data: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data)?;
    stdout.flush()
}

fn write_to(mut file: File, data: &[u8]) -> io::Result<File> {
    file.write_all(data)?;
    Ok(file)
}

async fn in_background<T: Send + 'static>(
    write: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}
