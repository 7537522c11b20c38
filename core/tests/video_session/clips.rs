//! Every shared clip under the default policy, on both packs.

use crate::support::{line, outside};

#[test]
fn table() {
    const NAME: &str = "table";
    let Some(outside) = outside(NAME) else { return };
    let mut packs = [outside.open(NAME), outside.builtin(NAME)];
    let mut clips: Vec<_> =
        std::fs::read_dir(outside.shared.join("media/video")).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    for clip in clips {
        let frames = outside.decode(&clip);
        for bench in &mut packs {
            let verdict = bench.judge(&frames);
            println!(
                "{:24} {:8} {}",
                clip.file_name().unwrap().to_string_lossy(),
                bench.pack.reference().id,
                line(&verdict)
            );
            let pa: Vec<String> = verdict
                .timeline
                .iter()
                .map(|r| {
                    match r.scores.iter().find(|(id, _)| *id == lifesign_core::verdict::CheckId::PresentationAttack) {
                        Some((_, s)) => format!("{:.1}", s),
                        None => format!("{:?}", r.state),
                    }
                })
                .collect();
            println!("    {}", pa.join(" "));
            for l in &verdict.diagnostics {
                println!("    {l}");
            }
        }
    }
}
