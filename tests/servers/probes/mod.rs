//! What every server must bring to the application and back, and what it is known not to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::site::Site;
use crate::spawned::Spawner;
use crate::variant::Variant;

mod downloads;
mod failures;
mod files;
mod headers;
mod load;
mod methods;
mod overload;
mod params;
mod ranges;
mod responses;
mod shutdown;
mod signals;
mod spawned;
mod streams;
mod tls;
mod uploads;
mod uris;

/// A check against a running site.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    /// Panics when the check fails.
    pub(crate) run: fn(Arc<Site>) -> Check,
    /// Probes that the server must pass, lest this one mean nothing.
    pub(crate) needs: &'static [&'static str],
    /// Who must have started the application.
    of: Of,
}

/// Applications by who starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Any,
    /// The tests, in their own process.
    Ours,
    /// Someone else, in processes of their own.
    Spawned,
    /// The same, where another process is left or comes when one ends.
    Several,
    /// The web server.
    Servers,
}

impl Probe {
    pub(crate) fn applies_to(&self, variant: &Variant) -> bool {
        match self.of {
            Of::Any => true,
            Of::Ours => variant.spawner.is_none(),
            Of::Spawned => variant.spawner.is_some(),
            Of::Several => {
                variant.spawner.is_some_and(|it| it != Spawner::SpawnFcgi { processes: 1 })
            }
            Of::Servers => variant.spawner == Some(Spawner::WebServer),
        }
    }
}

type Check = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! probes {
    ($($module:ident::$name:ident $(of $of:ident)? $(if $($needs:ident::$needed:ident)and+)?,)*) => {
        vec![$(Probe {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |site| Box::pin($module::$name(site)),
            needs: &[$($(concat!(stringify!($needs), "::", stringify!($needed))),+)?],
            of: [$(Of::$of,)? Of::Any][0],
        },)*]
    };
}

pub(crate) fn all() -> Vec<Probe> {
    probes![
        methods::arrive_unchanged,
        methods::unknown_arrive_unchanged,
        methods::without_a_length,
        methods::carry_bodies,
        methods::get_carries_a_body,
        methods::options_carries_a_body,
        methods::head_has_no_body,
        methods::in_lower_case,
        methods::options_of_the_server,
        uris::arrive_unchanged,
        uris::queries_arrive_unchanged,
        uris::odd_characters_arrive,
        uris::utf8_bytes_arrive,
        uris::latin1_bytes_arrive,
        uris::of_7_kib_arrive,
        uris::of_9_kib,
        uris::absolute_form,
        uris::absolute_form_of_another_host,
        headers::arrive,
        headers::repeated,
        headers::a_hundred,
        headers::four_hundred,
        headers::of_16_kib,
        headers::of_60_kib_together,
        headers::with_underscores,
        headers::with_dots,
        headers::twins_of_content_headers_are_ignored,
        headers::that_must_not_arrive,
        headers::that_claim_an_address_are_removed,
        headers::host,
        headers::that_no_client_sent,
        headers::of_http_1_0,
        headers::cookies,
        headers::cookies_in_several_lines,
        params::describe_the_request,
        params::query_string,
        params::scheme,
        params::server_name,
        params::server_port,
        params::of_ones_own,
        params::hold_no_client_headers,
        params::debug_tells_names_only,
        params::client_address,
        params::ipv6_client,
        params::ipv4_client_of_an_ipv6_socket,
        params::cannot_be_forged,
        params::remote_user_is_checked,
        uploads::of_0_bytes,
        uploads::of_1_byte,
        uploads::around_64_kib,
        uploads::of_1_mib,
        uploads::of_64_mib,
        uploads::chunked_of_1_mib,
        uploads::chunked_of_64_mib,
        uploads::chunked_and_empty,
        uploads::that_wait_for_100_continue,
        uploads::reach_the_application_as_they_come,
        uploads::that_the_client_leaves,
        uploads::answered_early,
        uploads::chunked_answered_early,
        downloads::of_known_length,
        downloads::of_unknown_length,
        downloads::of_100_mib,
        downloads::of_100_mib_and_unknown_length,
        responses::statuses,
        responses::without_a_body,
        responses::redirects,
        responses::location_without_a_redirect,
        responses::headers_arrive,
        responses::headers_that_must_not_arrive,
        responses::status_is_no_header,
        responses::head_of_16_kib,
        responses::head_of_40_kib,
        responses::head_of_60_kib,
        responses::compressed,
        responses::body_without_a_type,
        ranges::are_answered_by_the_application,
        ranges::that_cannot_be_met,
        ranges::that_the_application_ignores,
        files::x_accel_redirect,
        files::x_sendfile,
        tls::https_is_on,
        tls::http_2,
        tls::http_2_upload,
        tls::http_2_upload_without_a_length,
        tls::http_2_download,
        tls::http_2_requests_at_a_time,
        streams::events_are_prompt,
        streams::events_are_prompt_on_demand,
        streams::client_leaves_a_response,
        streams::client_leaves_a_silent_handler,
        streams::echo,
        streams::echo_of_64_mib of Ours,
        load::downloads_at_a_time,
        load::requests_at_a_time,
        load::requests_one_after_the_other,
        load::fast_requests_beside_slow_ones,
        load::a_client_that_never_reads,
        load::connections_are_shared_as_agreed of Ours,
        overload::of_connections of Ours,
        overload::of_requests of Ours,
        failures::service_error_is_500,
        failures::panic_is_500,
        failures::cut_answer_of_known_length_is_seen,
        failures::cut_answer_of_unknown_length_is_seen,
        failures::panicking_body_of_known_length_is_seen,
        failures::panicking_body_of_unknown_length_is_seen,
        failures::body_shorter_than_its_length_is_seen,
        failures::body_longer_than_its_length,
        failures::cut_answer_while_the_upload_goes_on,
        shutdown::finishes_what_is_under_way of Ours
            if uploads::reach_the_application_as_they_come and load::requests_at_a_time,
        shutdown::hands_over_to_a_successor of Ours,
        shutdown::drops_the_rest_at_the_deadline of Ours,
        signals::sigterm of Ours
            if uploads::reach_the_application_as_they_come and load::requests_at_a_time,
        signals::sigint of Ours
            if uploads::reach_the_application_as_they_come and load::requests_at_a_time,
        spawned::sigterm_finishes_what_is_under_way of Spawned,
        spawned::one_process_ends_and_the_others_serve of Several,
        spawned::are_started_again of Servers,
        spawned::end_with_the_server of Servers,
    ]
}
