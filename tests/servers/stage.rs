//! What the probes and the handlers of one application share, also when these run in another process.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

/// Gates, each with a name. Whoever opens one lets one other pass.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    identity: Arc<str>,
    gates: Gates,
}

#[derive(Debug, Clone)]
enum Gates {
    Here(Arc<Held>),
    /// In the process that listens at this path.
    There(Arc<Path>),
}

#[derive(Debug, Default)]
struct Held {
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
    processes: Mutex<BTreeSet<u32>>,
}

impl Stage {
    pub(crate) fn new(identity: impl ToString) -> Self {
        Self { identity: identity.to_string().into(), gates: Gates::Here(Arc::default()) }
    }

    /// The stage of another process, which serves it at `path`.
    pub(crate) fn at(path: &Path, identity: &str) -> Self {
        Self { identity: identity.into(), gates: Gates::There(path.into()) }
    }

    /// What only this one application answers to a request for `/identity`.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Lets one pass.
    pub(crate) fn open(&self, name: &str) {
        match &self.gates {
            Gates::Here(held) => held.gate(name).add_permits(1),
            Gates::There(path) => open_there(path, name),
        }
    }

    /// Waits until someone opens the gate, and closes it behind itself.
    pub(crate) async fn pass(&self, name: &str) {
        match &self.gates {
            Gates::Here(held) => {
                held.gate(name).acquire().await.expect("gates are never closed for good").forget();
            }
            Gates::There(path) => pass_there(path, name).await,
        }
    }

    /// How many could pass the gate now.
    pub(crate) fn opened(&self, name: &str) -> usize {
        self.held().gate(name).available_permits()
    }

    /// The processes that serve the application, for those that are others than this one.
    pub(crate) fn processes(&self) -> BTreeSet<u32> {
        self.held().processes().clone()
    }

    pub(crate) fn begin_process(&self, id: u32) {
        self.held().processes().insert(id);
    }

    pub(crate) fn end_process(&self, id: u32) {
        self.held().processes().remove(&id);
    }

    fn held(&self) -> &Held {
        match &self.gates {
            Gates::Here(held) => held,
            Gates::There(path) => panic!("it is held by the process at {}", path.display()),
        }
    }
}

impl Held {
    /// The gate of this name, closed until someone adds a permit.
    fn gate(&self, name: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().expect("no holder panics");
        gates.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }

    fn processes(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.processes.lock().expect("no holder panics")
    }
}

/// Opens a gate when it is dropped: the probe then knows that a handler or a body is gone.
pub(crate) struct Leave(pub(crate) Stage, pub(crate) String);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.open(&self.1);
    }
}

/// Blocks, for it is called where something is dropped. The other end answers at once.
fn open_there(path: &Path, name: &str) {
    // When the other process is gone, nobody waits any more.
    let Ok(mut stream) = UnixStream::connect(path) else { return };
    if stream.write_all(format!("open {name}\n").as_bytes()).is_ok() {
        let _ = stream.read(&mut [0]);
    }
}

async fn pass_there(path: &Path, name: &str) {
    let connected = tokio::net::UnixStream::connect(path).await;
    let mut stream = connected.expect("the probes outlive the application");
    let line = format!("pass {name}\n");
    stream.write_all(line.as_bytes()).await.expect("the probes outlive the application");
    stream.read_u8().await.expect("the probes outlive the application");
}
