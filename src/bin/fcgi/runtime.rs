use crate::failure::{Exit, Failure, Outcome};

/// Runs a future to its end on tokio. What is under way then is left behind: a thread may be reading standard input.
pub(crate) fn block_on<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(Exit::Usage, format_args!("cannot start: {error}")))?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}
