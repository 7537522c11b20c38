//! One run of the program: bytes into its standard input and out of its standard output, by turns in one thread, so that
//! neither waits for the other for ever and a deadline needs no helper.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::fd::AsFd,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionbio,
};

/// What is written to the program.
pub(super) trait Feed {
    /// Writes what fits; `false` where nothing is left.
    fn write(&mut self, to: &mut impl Write) -> io::Result<bool>;
}

/// Why the program did not run.
#[derive(Debug)]
pub(super) enum RunError {
    /// It is not there, or may not be started: why, as the end of "the ffmpeg program, which …".
    Missing(String),
    /// This machine failed.
    Broken(String),
    /// The deadline has passed.
    TooSlow,
}

/// What the program may take. Enforced on Linux; elsewhere only the deadline holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of address space.
    pub(super) memory: u64,
    /// Processor time, seconds.
    pub(super) seconds: u64,
}

/// A running program. It is killed where this is dropped.
#[derive(Debug)]
pub(super) struct Run<F> {
    child: Child,
    /// Gone once everything is written.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    feed: F,
}

impl<F: Feed> Run<F> {
    /// Starts the program.
    pub(super) fn start(program: &Path, arguments: &[String], feed: F, bounds: Bounds) -> Result<Self, RunError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| RunError::Broken(format!("{what}: {error}"));
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                    RunError::Missing(format!("does not start: {error}"))
                }
                _ => failed("ffmpeg did not start", &error),
            })?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(RunError::Broken("ffmpeg has no pipes".to_owned()));
        };
        let run = Self { child, stdin: Some(stdin), stdout, feed };
        // Before the first byte reaches it. From here on dropping `run` kills it.
        run.confine(bounds).map_err(|error| failed("ffmpeg could not be confined", &error))?;
        ioctl_fionbio(&run.stdout, true).map_err(|error| failed("a pipe failed", &error))?;
        if let Some(stdin) = &run.stdin {
            ioctl_fionbio(stdin, true).map_err(|error| failed("a pipe failed", &error))?;
        }
        Ok(run)
    }

    /// Limits what the program may take: address space, processor time, no bytes in any file, few files open.
    #[cfg(target_os = "linux")]
    fn confine(&self, bounds: Bounds) -> rustix::io::Result<()> {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};

        let child = Pid::from_child(&self.child);
        for (resource, limit) in [
            (Resource::As, bounds.memory),
            (Resource::Cpu, bounds.seconds),
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            (Resource::Nofile, 16),
        ] {
            prlimit(Some(child), resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        Ok(())
    }

    /// Elsewhere another process's limits cannot be set from outside; the deadline still holds.
    #[cfg(not(target_os = "linux"))]
    fn confine(&self, _: Bounds) -> rustix::io::Result<()> {
        Ok(())
    }

    /// Waits until the program takes or gives bytes, and lets it. Bytes read, maybe 0; `None` at the end of its output.
    pub(super) fn exchange(&mut self, into: &mut [u8], deadline: Instant) -> Result<Option<usize>, RunError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(RunError::TooSlow);
        }
        let broken = |error: &dyn std::fmt::Display| RunError::Broken(format!("a pipe to ffmpeg failed: {error}"));
        let (readable, writable) = {
            let mut both = [PollFd::new(&self.stdout, PollFlags::IN), PollFd::new(&self.stdout, PollFlags::empty())];
            if let (Some(stdin), [_, second]) = (&self.stdin, &mut both) {
                *second = PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT);
            }
            let timeout =
                Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
            match poll(&mut both, Some(&timeout)) {
                // A signal came; the deadline is looked at again.
                Err(rustix::io::Errno::INTR) => return Ok(Some(0)),
                other => other.map_err(|error| broken(&error))?,
            };
            let [first, second] = both;
            (!first.revents().is_empty(), self.stdin.is_some() && !second.revents().is_empty())
        };
        if let (true, Some(stdin)) = (writable, &mut self.stdin) {
            match self.feed.write(stdin) {
                Ok(true) => {}
                // Everything is written, or the program has read all that it wants: its output will tell.
                Ok(false) => self.stdin = None,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.stdin = None,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        if !readable {
            return Ok(Some(0));
        }
        match self.stdout.read(into) {
            Ok(0) => Ok(None),
            Ok(count) => Ok(Some(count)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(Some(0)),
            Err(error) => Err(broken(&error)),
        }
    }

    /// The program's end, which follows that of its output at once; `None` where it has not come by the deadline.
    pub(super) fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl<F> Drop for Run<F> {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
