use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use super::load::Load;

/// A bar on the terminal, if there is one.
#[derive(Debug)]
pub(super) struct Progress(Option<(ProgressBar, JoinHandle<()>)>);

impl Progress {
    pub(super) fn start(load: Arc<Load>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg}");
        bar.set_style(style.expect("the template is valid"));
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            loop {
                let (share, done, wrong) = load.progress();
                shown.set_position((share * STEPS as f64) as u64);
                shown.set_message(format!("{done} responses, {wrong} errors"));
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self(Some((bar, task)))
    }

    pub(super) fn end(self) {
        if let Some((bar, task)) = self.0 {
            task.abort();
            bar.finish_and_clear();
        }
    }
}

const STEPS: u64 = 1000;
const INTERVAL: Duration = Duration::from_millis(200);
