//! One run of the program: frames into its standard input and pixels out of its standard output, by turns in one thread,
//! so that neither waits for the other for ever and a deadline needs no helper.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
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

use super::arguments;
use crate::{
    frame::{Frame, Turn},
    video::{codec::Codec, error::VideoError, limits::VideoLimits, matroska::Writer, track::Track},
};

/// A running program. It is killed where this is dropped.
#[derive(Debug)]
pub(in crate::video) struct Process<'a> {
    child: Child,
    /// Gone once everything is written.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    feed: Feed<'a>,
    wanted: VecDeque<usize>,
    /// Frames that are wanted altogether.
    total: usize,
    codec: Codec,
    width: u32,
    height: u32,
    turn: Turn,
    limits: VideoLimits,
}

impl<'a> Process<'a> {
    /// Starts the program. The wanted ranks are ascending, and at least one.
    pub(in crate::video) fn start(
        program: &Path,
        file: &'a [u8],
        track: &Track<'a>,
        wanted: VecDeque<usize>,
        limits: VideoLimits,
    ) -> Result<Self, VideoError> {
        let (codec, width, height) = (track.codec.clone(), track.width, track.height);
        let order = track.output_order();
        let ranks: Vec<usize> = wanted.iter().copied().collect();
        let all = ranks.len() == order.len();
        let failed =
            |what: &str, error: &dyn std::fmt::Display| VideoError::Decoder { what: format!("{what}: {error}") };
        let mut child = Command::new(program)
            .args(arguments(&codec, width, height, limits.max_pixels, &ranks, all))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                    VideoError::NoDecoder { codec: codec.name().to_owned(), why: format!("does not start: {error}") }
                }
                _ => failed("ffmpeg did not start", &error),
            })?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(VideoError::Decoder { what: "ffmpeg has no pipes".to_owned() });
        };
        let process = Self {
            feed: Feed::new(file, track, &order),
            child,
            stdin: Some(stdin),
            stdout,
            total: wanted.len(),
            wanted,
            codec,
            width,
            height,
            turn: track.turn,
            limits,
        };
        // Before the first byte of the video reaches it. From here on dropping `process` kills it.
        process.confine().map_err(|error| failed("ffmpeg could not be confined", &error))?;
        ioctl_fionbio(&process.stdout, true).map_err(|error| failed("a pipe failed", &error))?;
        if let Some(stdin) = &process.stdin {
            ioctl_fionbio(stdin, true).map_err(|error| failed("a pipe failed", &error))?;
        }
        Ok(process)
    }

    /// Limits what the program may take: address space, processor time, no bytes in any file, few files open.
    #[cfg(target_os = "linux")]
    fn confine(&self) -> rustix::io::Result<()> {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};

        let child = Pid::from_child(&self.child);
        // Whole seconds, rounded up; one more for starting.
        let seconds = self.limits.max_decode_ms.div_ceil(1000) + 1;
        for (resource, limit) in [
            (Resource::As, self.limits.max_decoder_memory),
            (Resource::Cpu, seconds),
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
    fn confine(&self) -> rustix::io::Result<()> {
        Ok(())
    }

    /// The next wanted frame and its rank.
    pub(in crate::video) fn next(&mut self, deadline: Instant) -> Result<Option<(usize, Frame)>, VideoError> {
        let Some(&rank) = self.wanted.front() else { return Ok(None) };
        // Checked against the limits when the track was found, so it is a number of bytes that memory has.
        let bytes = self.width as usize * self.height as usize * 3;
        let mut pixels = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            match self.exchange(pixels.get_mut(filled..).unwrap_or_default(), deadline)? {
                Some(count) => filled += count,
                None => return Err(self.ended(deadline)),
            }
        }
        self.wanted.pop_front();
        let frame = Frame::from_rgb_turned(self.width, self.height, self.turn, pixels);
        let frame = frame.map_err(|error| VideoError::Decoder { what: error.to_string() })?;
        Ok(Some((rank, frame)))
    }

    /// Waits until the program takes or gives bytes, and lets it. Bytes read, maybe 0; `None` at the end of its output.
    fn exchange(&mut self, into: &mut [u8], deadline: Instant) -> Result<Option<usize>, VideoError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(VideoError::TooSlow { limit: self.limits.decode_time() });
        }
        let broken =
            |error: &dyn std::fmt::Display| VideoError::Decoder { what: format!("a pipe to ffmpeg failed: {error}") };
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

    /// Why the output ended before the last wanted frame.
    fn ended(&mut self, deadline: Instant) -> VideoError {
        let status = self.wait(deadline);
        let came = self.total - self.wanted.len();
        let how = match status {
            None => return VideoError::TooSlow { limit: self.limits.decode_time() },
            Some(status) if status.success() => "ended".to_owned(),
            Some(status) => format!("failed ({status})"),
        };
        let what = format!("ffmpeg {how} after {came} of {} frames", self.total);
        VideoError::Undecodable { codec: self.codec.name().to_owned(), what }
    }

    /// The program's end, which follows that of its output at once.
    fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
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

impl Drop for Process<'_> {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is still to be written: the stream's header, then each sample behind a header of its own.
#[derive(Debug)]
struct Feed<'a> {
    file: &'a [u8],
    /// Each sample's place in the file and its rank.
    samples: std::vec::IntoIter<(std::ops::Range<usize>, usize)>,
    head: Vec<u8>,
    body: &'a [u8],
    /// Bytes of both that are written.
    written: usize,
}

impl<'a> Feed<'a> {
    fn new(file: &'a [u8], track: &Track<'a>, order: &[usize]) -> Self {
        let mut ranks = vec![0; track.samples.len()];
        for (rank, &sample) in order.iter().enumerate() {
            if let Some(place) = ranks.get_mut(sample) {
                *place = rank;
            }
        }
        // A sample without a picture has no rank: it goes with the one that follows it.
        let mut following = 0;
        for (place, sample) in ranks.iter_mut().zip(&track.samples).rev() {
            if sample.picture {
                following = *place;
            } else {
                *place = following;
            }
        }
        let samples: Vec<_> = track.samples.iter().map(|sample| sample.data.clone()).zip(ranks).collect();
        Self {
            file,
            samples: samples.into_iter(),
            head: Writer::header(&track.codec, track.config, track.width, track.height),
            body: &[],
            written: 0,
        }
    }

    /// Writes what fits; `false` where nothing is left.
    fn write(&mut self, to: &mut impl Write) -> std::io::Result<bool> {
        loop {
            let in_body = self.written.saturating_sub(self.head.len());
            let rest = match self.head.get(self.written..) {
                Some(head) if !head.is_empty() => head,
                _ => self.body.get(in_body..).unwrap_or_default(),
            };
            if !rest.is_empty() {
                self.written += to.write(rest)?;
                return Ok(true);
            }
            let Some((data, rank)) = self.samples.next() else { return Ok(false) };
            self.body = self.file.get(data).unwrap_or_default();
            self.head = Writer::frame(rank, self.body.len());
            self.written = 0;
        }
    }
}
