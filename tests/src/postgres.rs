//! A PostgreSQL server of the tests' own, started once a test process, with a database for whoever asks.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crate::media::present;

struct Cluster {
    bin: PathBuf,
    port: u16,
    /// Its end of the pipe keeps the server up: when this process ends, however it ends, the server is stopped.
    _keeper: Child,
}

/// The address of a fresh, empty database, `postgres://…`. Where PostgreSQL is not installed, says that `test` is skipped, and fails in CI.
pub fn database(test: &str) -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTER.get_or_init(|| Some(Cluster::start(programs()?)));
    if !present(test, "PostgreSQL (initdb)", cluster.is_some()) {
        return None;
    }
    let Cluster { bin, port, .. } = cluster.as_ref()?;
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let made = as_user(&bin.join("createdb")).args(["-h", "127.0.0.1", "-p", &port.to_string(), &name]).output();
    let made = made.expect("createdb runs");
    assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
    Some(format!("postgres://{}@127.0.0.1:{port}/{name}", user()))
}

/// The folder with `initdb` and `postgres`: on the path, else where Debian has it.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // What is on the path may be a link to it, without the programs beside it.
    let real = |folder: PathBuf| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned());
    let mut on_path = env::split_paths(&path).filter_map(real);
    on_path.find(|folder| folder.join("createdb").is_file()).or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
        found.retain(|folder| folder.join("initdb").is_file());
        found.sort();
        found.pop()
    })
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// PostgreSQL refuses to run as root; Debian's package makes a user for it.
fn user() -> String {
    if is_root() { "postgres".to_owned() } else { env::var("USER").unwrap_or_else(|_| "postgres".to_owned()) }
}

fn as_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env("PGUSER", user()).stdin(Stdio::null());
    command
}

impl Cluster {
    #[expect(clippy::zombie_processes, reason = "it ends when this process does, and the system collects it then")]
    fn start(bin: PathBuf) -> Self {
        // Not below a folder of this user's: the server's own user must get there. It is left to the system's cleaning.
        let made = as_user(Path::new("mktemp")).args(["-d", "/tmp/lifesign-postgres.XXXXXX"]).output().expect("mktemp");
        let folder = String::from_utf8(made.stdout).expect("a path").trim().to_owned();
        let data = format!("{folder}/data");
        let init = as_user(&bin.join("initdb")).args(["-A", "trust", "--no-sync", "-D", &data]).output();
        let init = init.expect("initdb runs");
        assert!(init.status.success(), "initdb: {}", String::from_utf8_lossy(&init.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        // `read` ends when the pipe does; then the server is told to stop at once and its folder goes.
        let script = r#"exec 3<&0; "$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 \
            -c max_connections=200 -c fsync=off >"$2/log" 2>&1 </dev/null & read -r _ <&3; kill -INT $!; wait; rm -rf "$2""#;
        let mut keeper = as_user(Path::new("sh"));
        keeper.args(["-c", script, "sh"]).arg(&bin).args([&folder, &port.to_string()]);
        let keeper = keeper.stdin(Stdio::piped()).spawn().expect("sh runs");
        for _ in 0..300 {
            let mut ready = as_user(&bin.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                return Self { bin, port, _keeper: keeper };
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL did not come up; see {folder}/log");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_database_is_another() {
        let Some(first) = super::database("every_database_is_another") else { return };
        assert_ne!(Some(first), super::database("every_database_is_another"));
    }
}
