//! Which of the evidence a vendor gets to see.

use std::{io::Cursor, time::Duration};

use image::{ImageFormat, ImageReader};

use super::{Clip, Evidence, MediaLimits, Needs, Picture, Spec, Takes};
use crate::frame::MediaType;

/// Frames in a list for a vendor that documents no number. Ours: enough to show a face move, and few enough for pictures of
/// some 280 kB each, a good 720p JPEG, to fit into 6 MB of base64, the one limit on a list that any vendor documents.
const FRAMES: u32 = 16;

/// What a vendor gets to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// The best frame.
    Image(Picture),
    /// A list of frames, in their order; never empty.
    Frames(Vec<Picture>),
    /// A video.
    Video(Clip),
}

/// What has to be at hand so that [`select`] finds something for this vendor.
pub fn needs(spec: &Spec, limits: &MediaLimits) -> Needs {
    let takes = |what| spec.takes.contains(&what);
    Needs {
        // Of a list, the best frame is the last to be left out.
        best: takes(Takes::Image) || takes(Takes::Frames),
        frames: if takes(Takes::Frames) { limits.max_frames.unwrap_or(FRAMES) } else { 0 },
        video: takes(Takes::Video),
        made_video: spec.takes == [Takes::Video],
        reference: spec.judges.face_match,
    }
}

/// The first kind of media that the vendor takes, that is at hand and that is within its limits. A video that was made of frames
/// is at hand only for a vendor that takes nothing else: to the others the frames themselves tell more.
///
/// Of a list, what is too large or too small by itself is left out. When there are still too many, or the body would be too
/// large, as many stay as fit, evenly spread from the first to the last; of one, the middle. The best frame, where it is
/// usable, takes the place that is nearest to its own.
///
/// # Errors
/// Why each kind would not do, as one line for diagnostics: never a byte of the media.
pub fn select(spec: &Spec, limits: &MediaLimits, evidence: &Evidence) -> Result<Selected, String> {
    let mut faults = Vec::new();
    for takes in spec.takes {
        let found = match takes {
            Takes::Image => image(limits, evidence).map(Selected::Image),
            Takes::Frames => frames(limits, evidence).map(Selected::Frames),
            Takes::Video => video(spec, limits, evidence).map(Selected::Video),
        };
        match found {
            Ok(selected) => return Ok(selected),
            Err(why) => faults.push(format!("{}: {why}", takes.name())),
        }
    }
    Err(faults.join("; "))
}

fn image(limits: &MediaLimits, evidence: &Evidence) -> Result<Picture, String> {
    let best = evidence.best.as_ref().ok_or("there is no best frame")?;
    check_picture(limits, best)?;
    Ok(best.clone())
}

fn video(spec: &Spec, limits: &MediaLimits, evidence: &Evidence) -> Result<Clip, String> {
    let only = spec.takes == [Takes::Video];
    let clip = match (&evidence.video, &evidence.no_video) {
        (Some(clip), _) if only || !clip.made => clip,
        (None, Some(why)) if only => return Err(format!("none could be made of the frames: {why}")),
        (Some(_) | None, _) => return Err("none came".to_owned()),
    };
    if !limits.takes_container(clip.container) {
        let allowed = limits.video_containers.as_deref().unwrap_or_default().join(", ");
        return Err(format!("it is {}; taken are {allowed}", clip.container.name()));
    }
    check_bytes(limits.max_video_bytes, clip.data.len())?;
    // A duration is a fraction of the container's own units: what is within the limit but for a part of a millisecond is.
    let lasts = u64::try_from(clip.duration.as_millis()).unwrap_or(u64::MAX);
    let seconds = |ms| Duration::from_millis(ms).as_secs_f64();
    if let Some(least) = limits.min_video_ms.filter(|least| lasts < *least) {
        return Err(format!("it lasts {:.3} s; the least is {:.3} s", seconds(lasts), seconds(least)));
    }
    if let Some(most) = limits.max_video_ms.filter(|most| lasts > *most) {
        return Err(format!("it lasts {:.3} s; the limit is {:.3} s", seconds(lasts), seconds(most)));
    }
    check_sides(limits, clip.size)?;
    Ok(clip.clone())
}

fn frames(limits: &MediaLimits, evidence: &Evidence) -> Result<Vec<Picture>, String> {
    let frames = &evidence.frames;
    if frames.is_empty() {
        return Err("there are none".to_owned());
    }
    let mut fault = String::new();
    let mut usable = Vec::with_capacity(frames.len());
    for frame in frames {
        match check_picture(limits, frame).and_then(|()| check_body(limits, &[frame])) {
            Ok(()) => usable.push(frame),
            Err(why) => fault = why,
        }
    }
    let most = usize::try_from(limits.max_frames.unwrap_or(FRAMES)).unwrap_or(usize::MAX).min(usable.len());
    let best = evidence.best.as_ref().and_then(|best| usable.iter().position(|frame| *frame == best));
    let fits = |count: &usize| check_body(limits, &spread(&usable, *count, best)).is_ok();
    match (1..=most).rev().find(fits) {
        Some(count) => Ok(spread(&usable, count, best).into_iter().cloned().collect()),
        None => Err(format!("of {} not one would do; the last: {fault}", frames.len())),
    }
}

/// `count` of them from the first to the last, at equal distances; the middle where one is asked for. The one at `best` takes
/// the place that is nearest to it.
fn spread<'a>(all: &[&'a Picture], count: usize, best: Option<usize>) -> Vec<&'a Picture> {
    let last = all.len().saturating_sub(1);
    let gaps = count.saturating_sub(1);
    let place = |index: usize| (index * last + gaps / 2).checked_div(gaps).unwrap_or(last / 2);
    let mut places: Vec<usize> = (0..count).map(place).collect();
    if let Some(best) = best
        && let Some(nearest) = places.iter_mut().min_by_key(|place| place.abs_diff(best))
    {
        *nearest = best;
    }
    places.into_iter().filter_map(|place| all.get(place).copied()).collect()
}

/// The body `{"frames":["…","…"]}` with the pictures in base64.
fn check_body(limits: &MediaLimits, frames: &[&Picture]) -> Result<(), String> {
    let Some(limit) = limits.max_frames_body_bytes else { return Ok(()) };
    let brackets = r#"{"frames":[]}"#.len() as u64;
    // Two quotes each and a comma between.
    let quoted = |frame: &&Picture| (frame.data.len() as u64).div_ceil(3) * 4 + 2;
    let commas = (frames.len() as u64).saturating_sub(1);
    let body = brackets + commas + frames.iter().map(quoted).sum::<u64>();
    if body > limit {
        return Err(format!("a body of {body} bytes; the limit is {limit}"));
    }
    Ok(())
}

fn check_picture(limits: &MediaLimits, picture: &Picture) -> Result<(), String> {
    let format = match picture.media_type {
        MediaType::Jpeg => ImageFormat::Jpeg,
        MediaType::Png => ImageFormat::Png,
        other @ MediaType::Webp => return Err(format!("{} is taken by no vendor", other.name())),
    };
    check_bytes(limits.max_image_bytes, picture.data.len())?;
    if limits.min_short_side.is_none() && limits.min_long_side.is_none() {
        return Ok(());
    }
    // Out of the header; nothing is decoded.
    let sides = ImageReader::with_format(Cursor::new(&picture.data), format).into_dimensions();
    check_sides(limits, sides.map_err(|_| "its size cannot be read")?)
}

fn check_bytes(limit: Option<u64>, bytes: usize) -> Result<(), String> {
    match limit.filter(|limit| bytes as u64 > *limit) {
        None => Ok(()),
        Some(limit) => Err(format!("{bytes} bytes; the limit is {limit}")),
    }
}

/// Whichever way round: vendors write landscape sizes, and faces are mostly taken upright.
fn check_sides(limits: &MediaLimits, (width, height): (u32, u32)) -> Result<(), String> {
    for (side, pixels, least) in
        [("shorter", width.min(height), limits.min_short_side), ("longer", width.max(height), limits.min_long_side)]
    {
        if let Some(least) = least.filter(|least| pixels < *least) {
            return Err(format!("{width}x{height} pixels; the {side} side must have at least {least}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
