//! Every shared clip, and clips made of them, under the default policy on both packs.
//! `cargo test -p lifesign-core --features video --test video_session -- --nocapture` prints the table.

use std::path::Path;

use lifesign_core::verdict::{CheckId, CheckState, Decision};

use crate::support::{codes, line, make, outside};

/// What the open pack and the built-in one decide. Bona fide are `lp_`, `live` and `orig`. The deepfakes are accepted: nothing
/// is held before a camera there, and Deepfake is advisory in both packs, being too weak to decide. The built-in liveness
/// model takes lp_d11 for an attack; its card gives its error rates.
const CLIPS: [(&str, Decision, Decision); 15] = {
    use Decision::{Accept, Reject};
    [
        ("apfol_live.webm", Accept, Accept),
        ("apfol_replay.webm", Reject, Reject),
        ("ff_Deepfakes_519_515.mp4", Accept, Accept),
        ("ff_Face2Face_750_743.mp4", Accept, Accept),
        ("ff_orig_519.mp4", Accept, Accept),
        ("lp_d10.mp4", Accept, Accept),
        ("lp_d11.mp4", Accept, Reject),
        ("lp_d18.mp4", Accept, Accept),
        ("lp_d19.mp4", Accept, Accept),
        ("lp_d20.mp4", Accept, Accept),
        ("lp_d3.mp4", Accept, Accept),
        ("mani_replay.mp4", Reject, Reject),
        ("onur_deepfake.mp4", Accept, Accept),
        ("tran_live.mp4", Accept, Accept),
        ("tran_replay.mp4", Reject, Reject),
    ]
};

#[test]
fn live_clips_are_accepted_and_replays_rejected() {
    const NAME: &str = "live_clips_are_accepted_and_replays_rejected";
    let Some(outside) = outside(NAME) else { return };
    let mut packs = [outside.open(NAME), outside.builtin(NAME)];
    let mut wrong = Vec::new();
    for (clip, open, builtin) in CLIPS {
        let frames = outside.decode(&outside.clip(clip));
        for (bench, expected) in packs.iter_mut().zip([open, builtin]) {
            let verdict = bench.judge(&frames);
            println!("{clip:24} {:8} {}", bench.pack.reference().id, line(&verdict));
            if verdict.decision != expected {
                wrong.push(format!("{clip} {}: {:?}", bench.pack.reference().id, verdict.decision));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// FrameContinuity's limits were measured at 10, 5 and 2 frames a second; a video of a minute is sampled at one.
#[test]
fn one_frame_a_second_breaks_no_genuine_continuity() {
    const NAME: &str = "one_frame_a_second_breaks_no_genuine_continuity";
    let Some(outside) = outside(NAME) else { return };
    let mut open = outside.open(NAME);
    for (clip, ..) in CLIPS.iter().filter(|(clip, ..)| clip.contains("live") || clip.starts_with("lp_")) {
        let verdict = open.judge(&outside.decode_at(&outside.clip(clip), 1.0));
        println!("{clip:24} {}", line(&verdict));
        let continuity = verdict.check(CheckId::FrameContinuity).unwrap();
        assert_ne!(continuity.state, CheckState::Failed, "{clip}: {continuity:?}");
    }
}

#[test]
fn a_video_of_one_photograph_is_a_still_image() {
    const NAME: &str = "a_video_of_one_photograph_is_a_still_image";
    let Some(outside) = outside(NAME) else { return };
    let mut packs = [outside.open(NAME), outside.builtin(NAME)];
    let folder = tempfile::tempdir().unwrap();
    let even = "scale=trunc(min(iw\\,1280)/2)*2:-2";
    for photo in ["gaurav_10.jpg", "lp_d3_f0.jpg"] {
        let photo = outside.shared.join("media/live").join(photo);
        for (name, filter) in [("plain", even.to_owned()), ("noise", format!("{even},noise=alls=6:allf=t"))] {
            let clip = photograph(folder.path(), &photo, name, &filter);
            let frames = outside.decode(&clip);
            for bench in &mut packs {
                let verdict = bench.judge(&frames);
                println!(
                    "{name} {:24} {:8} {}",
                    photo.file_name().unwrap().to_string_lossy(),
                    bench.pack.reference().id,
                    line(&verdict)
                );
                let still = verdict.check(CheckId::StillImage).unwrap();
                assert_eq!(still.state, CheckState::Failed, "{still:?}");
                assert_eq!(verdict.decision, Decision::Reject);
            }
        }
    }
}

fn photograph(folder: &Path, photo: &Path, name: &str, filter: &str) -> std::path::PathBuf {
    let photo = photo.to_str().unwrap();
    let input = ["-loop", "1", "-framerate", "25", "-t", "6", "-i", photo];
    let output = ["-vf", filter, "-c:v", "libx264", "-pix_fmt", "yuv420p"];
    make(folder, &format!("{name}.mp4"), &[&input[..], &output].concat())
}

#[test]
fn two_people_beside_each_other_are_several_faces() {
    const NAME: &str = "two_people_beside_each_other_are_several_faces";
    let Some(outside) = outside(NAME) else { return };
    let mut packs = [outside.open(NAME), outside.builtin(NAME)];
    let folder = tempfile::tempdir().unwrap();
    let both = "[0:v]scale=-2:480,fps=25[a];[1:v]scale=-2:480,fps=25[b];[a][b]hstack=shortest=1";
    // The second person comes for the last third of six seconds.
    let late = "[0:v]scale=-2:480,fps=25[a];[1:v]scale=-2:480,fps=25[b];[b]drawbox=t=fill:color=black:enable='lt(t,4)'[c];\
                [a][c]hstack=shortest=1";
    for (name, filter) in [("both", both), ("late", late)] {
        let (first, second) = (outside.clip("lp_d3.mp4"), outside.clip("lp_d20.mp4"));
        let input = ["-i", first.to_str().unwrap(), "-i", second.to_str().unwrap(), "-t", "6"];
        let output = ["-filter_complex", filter, "-an", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
        let frames = outside.decode(&make(folder.path(), &format!("{name}.mp4"), &[&input[..], &output].concat()));
        for bench in &mut packs {
            let verdict = bench.judge(&frames);
            println!("{name:8} {:8} {}", bench.pack.reference().id, line(&verdict));
            assert_eq!((verdict.decision, codes(&verdict)), (Decision::Retry, vec!["MULTIPLE_FACES"]));
        }
    }
}

#[test]
fn another_person_late_in_the_video_is_rejected() {
    const NAME: &str = "another_person_late_in_the_video_is_rejected";
    let Some(outside) = outside(NAME) else { return };
    let mut open = outside.open(NAME);
    let mut frames = outside.decode(&outside.clip("lp_d3.mp4"));
    let swapped: Vec<_> = outside.decode(&outside.clip("lp_d18.mp4")).into_iter().take(4).collect();
    let (last, end) = frames.last().map(|frame| (frame.index, frame.time)).unwrap();
    for (place, mut frame) in (1..).zip(swapped) {
        frame.index = last + u64::from(place);
        frame.time = end + std::time::Duration::from_millis(200) * place;
        frames.push(frame);
    }
    let verdict = open.judge(&frames);
    println!("{}", line(&verdict));
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(verdict.check(CheckId::FrameContinuity).unwrap().state, CheckState::Failed);
}

#[test]
fn genuine_clips_move_for_most_of_their_length() {
    const NAME: &str = "genuine_clips_move_for_most_of_their_length";
    let Some(outside) = outside(NAME) else { return };
    let mut open = outside.open(NAME);
    for (clip, ..) in CLIPS.iter().filter(|(clip, ..)| !clip.contains("replay")) {
        let frames = outside.decode(&outside.clip(clip));
        let prints: Vec<_> = frames.iter().filter_map(|frame| open.reference_of(&frame.frame).motion).collect();
        // From any frame on, as the first that is judged may be any, over three seconds and more.
        let mut medians: Vec<f64> = (0..prints.len().saturating_sub(15))
            .map(|first| {
                let later = prints.iter().skip(first + 1);
                let mut residuals: Vec<f64> = later.map(|print| prints[first].residual(print).unwrap()).collect();
                residuals.sort_by(f64::total_cmp);
                residuals[residuals.len() / 2]
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        println!("{clip:26} medians from any start: least {:.3}, median {:.3}", medians[0], medians[medians.len() / 2]);
        // StillImage's limit is 0.02.
        assert!(medians[0] > 0.035, "{clip}: {}", medians[0]);
    }
}
