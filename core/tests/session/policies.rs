//! Which policies are refused, what the others resolve to, and what their version hashes.

use lifesign_core::{
    pack::{Manifest, Role, ThresholdSpec},
    policy::{
        Aggregate, DEFAULT, OnError, Policy, PolicyConfig, PolicyError, ReferenceRule, Visibility, builtin, offered,
    },
    session::Media,
    verdict::CheckId,
};

use crate::support::{ALL_ROLES, manifest, settings};

fn compile(config: PolicyConfig) -> Result<Policy, PolicyError> {
    Policy::compile_for("test", config, &manifest(&ALL_ROLES))
}

fn with_threshold(check: CheckId, score: f32, advisory: bool) -> Manifest {
    let mut manifest = manifest(&ALL_ROLES);
    manifest.thresholds.push(ThresholdSpec { check, score, measured: "made up".to_owned(), advisory });
    manifest
}

#[test]
fn built_in_policies_fit_a_full_pack() {
    let (policies, errors) = offered(&manifest(&ALL_ROLES));
    assert_eq!(errors, []);
    let names: Vec<_> = policies.iter().map(|policy| policy.reference().id.as_str()).collect();
    assert_eq!(names, builtin().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(names.contains(&DEFAULT));
}

#[test]
fn a_built_in_policy_that_does_not_fit_is_left_out_and_named() {
    let (policies, errors) = offered(&manifest(&[Role::Detector, Role::Liveness]));
    assert_eq!(policies.len(), builtin().len() - 1);
    let [PolicyError::MissingRole { policy, check, role, .. }] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!((policy.as_str(), *check, *role), ("strict", CheckId::EyesOpen, "mesh"));
    assert_eq!(errors[0].to_string(), "policy strict requires EyesOpen, but pack made-up has no mesh model");
}

#[test]
fn a_required_check_needs_its_model() {
    let cases = [
        (CheckId::EyesOpen, Role::Mesh),
        (CheckId::FaceOcclusionPrevention, Role::Occlusion),
        (CheckId::PresentationAttack, Role::Liveness),
        (CheckId::Deepfake, Role::Deepfake),
        (CheckId::FaceMatch, Role::Embedding),
        (CheckId::Sharpness, Role::Detector),
    ];
    for (check, role) in cases {
        let roles: Vec<_> = ALL_ROLES.into_iter().filter(|other| *other != role).collect();
        let base = if check == CheckId::PresentationAttack { CheckId::Deepfake } else { CheckId::PresentationAttack };
        let mut required = vec![base];
        required.extend((check != base).then_some(check));
        let config = PolicyConfig { required, advisory: Vec::new(), ..settings(DEFAULT) };
        assert!(compile(config.clone()).is_ok(), "{check}");
        let error = Policy::compile_for("test", config.clone(), &manifest(&roles)).unwrap_err();
        assert!(matches!(error, PolicyError::MissingRole { role: missing, .. } if missing == role.name()), "{error}");
        if role != Role::Detector && check != base {
            let advisory = PolicyConfig { required: vec![base], advisory: vec![check], ..config };
            assert!(Policy::compile_for("test", advisory, &manifest(&roles)).is_ok(), "advisory {check}");
        }
    }
}

#[test]
fn contradictions_and_values_out_of_range_are_refused() {
    use CheckId::{Deepfake, PresentationAttack, Sharpness, StillImage};
    let base = settings("presentation-attack-only");
    let threshold = |check, score| PolicyConfig { thresholds: [(check, score)].into(), ..base.clone() };
    let cases = [
        ("required", PolicyConfig { required: vec![], ..base.clone() }),
        ("required", PolicyConfig { required: vec![Sharpness], ..base.clone() }),
        ("required", PolicyConfig { required: vec![StillImage], ..base.clone() }),
        ("required", PolicyConfig { required: vec![PresentationAttack, PresentationAttack], ..base.clone() }),
        ("advisory", PolicyConfig { advisory: vec![Deepfake, Deepfake], ..base.clone() }),
        ("advisory", PolicyConfig { advisory: vec![PresentationAttack], ..base.clone() }),
        ("frames_needed", PolicyConfig { frames_needed: 0, ..base.clone() }),
        ("frames_needed", PolicyConfig { frames_needed: 65, ..base.clone() }),
        (
            "frames_needed",
            PolicyConfig { required: vec![PresentationAttack, StillImage], frames_needed: 1, ..base.clone() },
        ),
        ("version", PolicyConfig { version: String::new(), ..base.clone() }),
        ("version", PolicyConfig { version: "1 2".to_owned(), ..base.clone() }),
        ("thresholds.PresentationAttack", threshold(PresentationAttack, f32::NAN)),
        ("thresholds.PresentationAttack", threshold(PresentationAttack, f32::INFINITY)),
        ("thresholds.PresentationAttack", threshold(PresentationAttack, 1.1)),
        ("thresholds.PresentationAttack", threshold(PresentationAttack, -0.1)),
        ("thresholds.PresentationAttack", threshold(PresentationAttack, 0.0)),
        ("thresholds.Sharpness", threshold(Sharpness, 0.5)),
    ];
    for (expected, config) in cases {
        match compile(config.clone()) {
            Err(PolicyError::Invalid { setting, .. }) => assert_eq!(setting, expected, "{config:?}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(compile(base).is_ok());
}

#[test]
fn names_are_short_and_plain() {
    let long = "a".repeat(65);
    for name in ["", "with space", "naïve", long.as_str()] {
        let error = Policy::compile_for(name, settings(DEFAULT), &manifest(&ALL_ROLES)).unwrap_err();
        assert!(matches!(error, PolicyError::Invalid { ref setting, .. } if setting == "name"), "{error}");
    }
}

#[test]
fn a_check_that_the_pack_holds_too_weak_is_required_only_with_a_threshold_of_ones_own() {
    let pack = with_threshold(CheckId::Deepfake, 0.6, true);
    let required = PolicyConfig { required: vec![CheckId::Deepfake], ..settings("presentation-attack-only") };
    assert!(Policy::compile_for("test", required.clone(), &pack).is_err());
    let own = PolicyConfig { thresholds: [(CheckId::Deepfake, 0.7)].into(), ..required };
    assert_eq!(Policy::compile_for("test", own, &pack).unwrap().threshold(CheckId::Deepfake), 0.7);
    let advisory = settings(DEFAULT);
    assert_eq!(Policy::compile_for("test", advisory, &pack).unwrap().threshold(CheckId::Deepfake), 0.6);
}

#[test]
fn a_pack_cannot_let_everything_pass_either() {
    let pack = with_threshold(CheckId::PresentationAttack, 0.0, false);
    assert!(Policy::compile_for("test", settings(DEFAULT), &pack).is_err());
}

#[test]
fn thresholds_come_from_the_policy_then_the_pack_then_the_default() {
    let pack = with_threshold(CheckId::PresentationAttack, 0.8, false);
    let policy = Policy::compile_for("test", settings(DEFAULT), &pack).unwrap();
    assert_eq!(policy.threshold(CheckId::PresentationAttack), 0.8);
    assert_eq!(policy.threshold(CheckId::Sharpness), 0.5);
    let own = PolicyConfig { thresholds: [(CheckId::PresentationAttack, 0.3)].into(), ..settings(DEFAULT) };
    assert_eq!(Policy::compile_for("test", own, &pack).unwrap().threshold(CheckId::PresentationAttack), 0.3);
}

#[test]
fn the_version_changes_with_every_setting_and_with_nothing_else() {
    let base = settings(DEFAULT);
    let version = |config: PolicyConfig| compile(config).unwrap().reference().version.clone();
    let original = version(base.clone());
    let (label, hash) = original.split_once('.').unwrap();
    assert_eq!(label, "1");
    assert!(hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()), "{hash}");

    let mut reversed = base.clone();
    reversed.required.reverse();
    assert_eq!(version(reversed), original);

    let mut fewer = base.clone();
    fewer.required.pop();
    let changed = [
        fewer,
        PolicyConfig { advisory: Vec::new(), ..base.clone() },
        PolicyConfig { thresholds: [(CheckId::PresentationAttack, 0.500_000_1)].into(), ..base.clone() },
        PolicyConfig { frames_needed: 6, ..base.clone() },
        PolicyConfig { aggregate: Aggregate::Median, ..base.clone() },
        PolicyConfig { gate: false, ..base.clone() },
        PolicyConfig { reasons: Visibility::Full, ..base.clone() },
        PolicyConfig { on_error: OnError::Review, ..base.clone() },
        PolicyConfig { reference: ReferenceRule::Decide, ..base },
    ];
    let mut versions: Vec<_> = changed.into_iter().map(version).collect();
    versions.push(original);
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 10);
}

#[test]
fn the_plan_holds_the_checks_of_single_frames_and_gates_on_cheap_quality() {
    let policy = compile(settings("strict")).unwrap();
    let plan = policy.plan();
    assert!(plan.embedding);
    assert!(!policy.plan_for(Media::Image).embedding);
    for id in [CheckId::MediaLimits, CheckId::StillImage, CheckId::FrameContinuity, CheckId::FaceMatch] {
        assert!(!plan.checks.contains(&id), "{id}");
    }
    for id in [CheckId::PresentationAttack, CheckId::Deepfake, CheckId::EyesOpen, CheckId::Sharpness] {
        assert!(plan.checks.contains(&id), "{id}");
    }
    let gates: Vec<_> = plan.gates.iter().map(|(id, _)| *id).collect();
    assert!(gates.contains(&CheckId::Sharpness) && !gates.contains(&CheckId::EyesOpen));
    assert!(plan.gates.iter().all(|(_, score)| *score == 0.5));

    let ungated = compile(settings("presentation-attack-only")).unwrap().plan();
    assert_eq!((ungated.checks, ungated.gates.len(), ungated.embedding), (vec![CheckId::PresentationAttack], 0, false));

    let without = manifest(&[Role::Detector, Role::Liveness]);
    assert!(!Policy::compile_for("test", settings(DEFAULT), &without).unwrap().plan().embedding);
}

#[test]
fn what_came_later_changes_no_version_that_does_not_use_it() {
    // What the settings hashed to before FaceArea and the reference rule came.
    let pack = with_threshold(CheckId::FaceMatch, 0.7, false);
    let policy = Policy::compile_for("test", settings(DEFAULT), &pack).unwrap();
    assert_eq!(policy.reference().version, "1.d8a4f925dac8");
    let text = toml::to_string(&settings(DEFAULT)).unwrap();
    assert!(!text.contains("reference") && !text.contains("FaceArea"), "{text}");
}

#[test]
fn a_reference_decides_where_the_threshold_can_bear_it() {
    let base = settings(DEFAULT);
    let rule = |reference, thresholds: &[(CheckId, f32)]| PolicyConfig {
        reference,
        thresholds: thresholds.iter().copied().collect(),
        ..base.clone()
    };
    let own = [(CheckId::FaceMatch, 0.75)];
    let (measured, weak) =
        (with_threshold(CheckId::FaceMatch, 0.7, false), with_threshold(CheckId::FaceMatch, 0.7, true));
    let unmeasured = manifest(&ALL_ROLES);
    let (auto, decide) = (ReferenceRule::Auto, ReferenceRule::Decide);
    for (pack, config, decides) in [
        (&measured, rule(auto, &[]), true),
        (&weak, rule(auto, &[]), false),
        (&weak, rule(auto, &own), true),
        (&weak, rule(decide, &own), true),
        (&measured, rule(decide, &[]), true),
        (&unmeasured, rule(auto, &[]), false),
        (&unmeasured, rule(decide, &[]), true),
    ] {
        let policy = Policy::compile_for("test", config.clone(), pack).unwrap();
        assert_eq!(policy.reference_decides(), decides, "{config:?}");
        assert!(!policy.requires(CheckId::FaceMatch, Media::Frames), "without a reference nothing is asked");
    }
    let policy = Policy::compile_for("test", rule(auto, &[]), &unmeasured).unwrap();
    assert_eq!(policy.threshold(CheckId::FaceMatch), 0.7, "a cosine of 0 would be every other stranger");

    let refused = |config, pack: &Manifest| Policy::compile_for("test", config, pack).unwrap_err().to_string();
    assert!(refused(rule(decide, &[]), &weak).contains("thresholds.FaceMatch"));
    assert!(refused(rule(auto, &[(CheckId::FaceMatch, 0.0)]), &measured).contains("0 would pass everything"));
    let blind = manifest(&[Role::Detector, Role::Liveness]);
    assert!(refused(rule(decide, &[]), &blind).contains("no embedding model"));
    let policy = Policy::compile_for("test", rule(auto, &[]), &blind).unwrap();
    assert!(!policy.reference_decides() && !policy.plan_with(Media::Image, true).embedding);
}

#[test]
fn with_a_reference_the_embedding_is_planned_whatever_the_policy_lists() {
    let policy = compile(settings("presentation-attack-only")).unwrap();
    assert!(!policy.plan_with(Media::Video, false).embedding);
    for media in [Media::Image, Media::Frames, Media::Video] {
        assert!(policy.plan_with(media, true).embedding, "{media:?}");
    }
}

#[test]
fn a_face_area_is_a_threshold_of_its_own() {
    let policy = compile(settings("close-up")).unwrap();
    assert_eq!(policy.threshold(CheckId::FaceArea), 0.6);
    assert!(policy.plan().gates.contains(&(CheckId::FaceArea, 0.6)));
    let newer = PolicyConfig { thresholds: [(CheckId::FaceArea, 0.3)].into(), ..settings("close-up") };
    assert_eq!(compile(newer).unwrap().threshold(CheckId::FaceArea), 0.3);
}

#[test]
fn settings_are_read_from_toml_and_unknown_keys_refused() {
    let text = "version = \"7\"\nrequired = [\"PresentationAttack\"]\n[thresholds]\nPresentationAttack = 0.6\n";
    let config: PolicyConfig = toml::from_str(text).unwrap();
    assert_eq!((config.frames_needed, config.gate, config.reasons), (5, true, Visibility::Quality));
    assert_eq!(compile(config.clone()).unwrap().threshold(CheckId::PresentationAttack), 0.6);
    assert_eq!(toml::from_str::<PolicyConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    let decide: PolicyConfig = toml::from_str(&format!("reference = \"decide\"\n{text}")).unwrap();
    assert_eq!(decide.reference, ReferenceRule::Decide);
    for wrong in [
        "reference = \"report\"",
        "tresholds = {}",
        "required = [\"Liveness\"]",
        "aggregate = \"max\"",
        "frames_needed = -1",
    ] {
        let text = if wrong.starts_with("required") {
            format!("version = \"7\"\n{wrong}\n")
        } else {
            format!("version = \"7\"\nrequired = [\"PresentationAttack\"]\n{wrong}\n")
        };
        assert!(toml::from_str::<PolicyConfig>(&text).is_err(), "{wrong}");
    }
}
