//! Other users of the machine at the door of a Unix socket.
//!
//! Only root can become somebody else, on a thread. Without it each trial is named and left out.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("threads have users of their own on Linux only");
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, ErrorKind, Read, Write};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    use std::process::ExitCode;
    use std::time::Duration;
    use std::{fs, thread};

    use libtest_mimic::{Arguments, Trial};
    use rustix::process::{Gid, Uid, geteuid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    use tempfile::TempDir;
    use tokio::runtime::Runtime;
    use tower_fastcgi::listener::{Listener, OnlyFrom, UnixOptions};
    use tower_fastcgi::record::{
        BeginRequest, RecordType, RequestId, Role, put_pair, put_record, put_stream, put_stream_end,
    };
    use tower_fastcgi::serve;

    pub(crate) fn main() -> ExitCode {
        let is_root = geteuid().is_root();
        if !is_root {
            println!("other users are left out; only root can become one");
        }
        let trials = TRIALS.iter().map(|&(name, run)| {
            let run = move || {
                run();
                Ok(())
            };
            Trial::test(name, run).with_ignored_flag(!is_root)
        });
        libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
    }

    const TRIALS: &[(&str, fn())] = &[
        ("only_users_on_the_list_reach_the_application", only_users_on_the_list),
        ("a_group_counts_only_if_it_is_the_effective_one", groups_on_the_list),
        ("the_credentials_are_those_of_the_moment_of_connecting", credentials_change),
        ("a_socket_without_a_file_lets_in_whom_the_list_does", abstract_socket),
        ("the_mode_of_the_socket_keeps_others_from_connecting", mode),
    ];

    /// Root is excepted as little as anybody else.
    fn only_users_on_the_list() {
        let place = Place::new(Some("uid:4242"), 0o666);
        assert_eq!(place.ask_as(User { uid: 4242, gid: 1, others: &[] }), Reached::Application);
        for uid in [0, 1, 4241, 4243] {
            let user = User { uid, gid: 4242, others: &[4242] };
            assert_eq!(place.ask_as(user), Reached::Door, "{uid}");
        }
    }

    fn groups_on_the_list() {
        let place = Place::new(Some("gid:4242"), 0o666);
        let member = User { uid: 1, gid: 4242, others: &[] };
        assert_eq!(place.ask_as(member), Reached::Application);
        let supplementary = User { uid: 4242, gid: 1, others: &[4242] };
        assert_eq!(place.ask_as(supplementary), Reached::Door);
    }

    /// Who connects as one user and goes on as another is still the one.
    fn credentials_change() {
        let place = Place::new(Some("uid:4242"), 0o666);
        let address = place.address();
        let reached = on_a_thread(move || {
            let stream = UnixStream::connect_addr(&address)?;
            User { uid: 4242, gid: 4242, others: &[] }.become_it();
            ask(stream)
        });
        assert_eq!(reached, Reached::Door);
    }

    fn abstract_socket() {
        let runtime = Runtime::new().expect("the system gives threads");
        let name = format!("tower-fastcgi-{}", std::process::id());
        let _entered = runtime.enter();
        let socket = tokio::net::UnixListener::bind(format!("\0{name}")).expect("it is unused");
        runtime.spawn(serve_on(OnlyFrom::new(socket, "uid:4242".parse().expect("a list"))));
        let address = SocketAddr::from_abstract_name(name).expect("a short name");
        for (uid, reached) in [(4242, Reached::Application), (4241, Reached::Door)] {
            let address = address.clone();
            let user = User { uid, gid: uid, others: &[] };
            let found = on_a_thread(move || {
                user.become_it();
                ask(UnixStream::connect_addr(&address)?)
            });
            assert_eq!(found, reached, "{uid}");
        }
    }

    fn mode() {
        let place = Place::new(None, 0o600);
        assert_eq!(place.ask_as(User { uid: 4242, gid: 4242, others: &[0] }), Reached::Nothing);
        assert_eq!(place.ask_as(User { uid: 0, gid: 0, others: &[] }), Reached::Application);
    }

    /// How far someone came.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Reached {
        /// The system does not let it connect.
        Nothing,
        /// The connection was closed before anything came of it.
        Door,
        Application,
    }

    /// An application on a socket in a directory that everybody may enter.
    struct Place {
        dir: TempDir,
        _runtime: Runtime,
    }

    impl Place {
        fn new(list: Option<&str>, mode: u32) -> Self {
            let dir = tempfile::tempdir().expect("there is room");
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
            let runtime = Runtime::new().expect("the system gives threads");
            let mut options = UnixOptions::new(dir.path().join("app.sock"));
            let bound = runtime.block_on(options.mode(mode).bind());
            let mut listener = bound.expect("the directory is new");
            if let Some(list) = list {
                listener = listener.only_from(list.parse().expect("a list"));
            }
            runtime.spawn(serve_on(listener));
            Self { dir, _runtime: runtime }
        }

        fn address(&self) -> SocketAddr {
            SocketAddr::from_pathname(self.dir.path().join("app.sock")).expect("a short path")
        }

        fn ask_as(&self, user: User) -> Reached {
            let address = self.address();
            on_a_thread(move || {
                user.become_it();
                ask(UnixStream::connect_addr(&address)?)
            })
        }
    }

    async fn serve_on(listener: impl Listener<Addr: Send>) -> io::Result<()> {
        let app = axum::Router::new().fallback(async || "hello");
        serve(listener, app).await
    }

    #[derive(Clone, Copy)]
    struct User {
        uid: u32,
        gid: u32,
        others: &'static [u32],
    }

    impl User {
        /// This thread alone, and for good.
        fn become_it(self) {
            let others: Vec<_> = self.others.iter().copied().map(Gid::from_raw).collect();
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            set_thread_groups(&others).expect("root may");
            set_thread_res_gid(gid, gid, gid).expect("root may");
            set_thread_res_uid(uid, uid, uid).expect("root may");
        }
    }

    fn on_a_thread(reach: impl FnOnce() -> io::Result<Reached> + Send + 'static) -> Reached {
        match thread::spawn(reach).join().expect("it does not panic") {
            Ok(reached) => reached,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Reached::Nothing,
            Err(error) => panic!("{error}"),
        }
    }

    fn ask(mut stream: UnixStream) -> io::Result<Reached> {
        stream.set_read_timeout(Some(BOUND))?;
        // It may have been closed already.
        let _ = stream.write_all(&request());
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => return Err(error),
            _ if answer.is_empty() => return Ok(Reached::Door),
            _ => {}
        }
        assert!(answer.windows(5).any(|window| window == b"hello"), "{answer:?}");
        Ok(Reached::Application)
    }

    fn request() -> Vec<u8> {
        let id = RequestId::new(1).expect("1 is not 0");
        let begin = BeginRequest { role: Role::Responder.value(), keep_conn: false };
        let mut params = Vec::new();
        put_pair(&mut params, b"REQUEST_METHOD", b"GET");
        put_pair(&mut params, b"REQUEST_URI", b"/");
        let mut wire = Vec::new();
        put_record(&mut wire, RecordType::BeginRequest, Some(id), &begin.encode());
        put_stream(&mut wire, RecordType::Params, id, &params);
        put_stream_end(&mut wire, RecordType::Params, id);
        put_stream_end(&mut wire, RecordType::Stdin, id);
        wire
    }

    const BOUND: Duration = Duration::from_secs(20);
}
