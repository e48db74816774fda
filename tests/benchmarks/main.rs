//! The parts of the benchmarks whose mistakes would show as wrong figures.

#![cfg(target_os = "linux")]
#![allow(dead_code)]

#[path = "../../benches/compare/apps/mod.rs"]
mod apps;
#[path = "../../benches/support/content.rs"]
mod content;
#[path = "../../benches/compare/experiments/mod.rs"]
mod experiments;
#[path = "../../benches/support/load/mod.rs"]
mod load;
#[path = "../../benches/support/machine.rs"]
mod machine;
#[path = "../../benches/compare/options.rs"]
mod options;
#[path = "../../benches/support/process/mod.rs"]
mod process;
#[path = "../../benches/instructions/recorded.rs"]
mod recorded;
#[path = "../../benches/compare/report/mod.rs"]
mod report;
#[path = "../../benches/compare/servers.rs"]
mod servers;
#[path = "../../benches/support/statistics.rs"]
mod statistics;

mod test_cores;
mod test_fastcgi_replies;
mod test_http_replies;
mod test_load;
mod test_one_reply;
mod test_options;
mod test_picture;
mod test_recorded;
mod test_statistics;
mod test_system_calls;
