//! `CheckMedia` and `GetCapabilities`.

use lifesign_proto::v1::{self, CheckState, Decision};
use tonic::Code;

use crate::harness::*;

fn attack_check(verdict: &v1::Verdict) -> &v1::Check {
    verdict.checks.iter().find(|check| check.id == "PresentationAttack").expect("the check is in the verdict")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_is_judged() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let live = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(live.decision(), Decision::Accept);
    assert_eq!(attack_check(&live).state(), CheckState::Passed);
    assert_eq!(live.pack.as_ref().unwrap().assurance(), v1::Assurance::Custom);
    assert_eq!(live.policy.as_ref().unwrap().id, "test");
    assert!(live.session_id.is_empty());
    let attack = check(&mut client, image(ATTACK)).await.unwrap();
    assert_eq!(attack.decision(), Decision::Reject);
    assert_eq!(attack_check(&attack).state(), CheckState::Failed);
    let empty = check(&mut client, image(0)).await.unwrap();
    assert_ne!(empty.decision(), Decision::Accept, "no face is an outcome, and not a pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_decoded_whether_its_type_is_said_or_not() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    for media_type in ["", "image/jpeg"] {
        let verdict = check(&mut client, file(PORTRAIT, media_type)).await.unwrap();
        assert_eq!(verdict.faces.len(), 1);
        assert_eq!(verdict.frames.unwrap().analysed, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_judged_together() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let request =
        v1::CheckMediaRequest { client_reference: "reference-7".to_owned(), ..frames_request(vec![image(LIVE); 5]) };
    let verdict = check_request(&mut client, request).await.unwrap();
    assert_eq!(verdict.decision(), Decision::Accept);
    assert_eq!(verdict.frames.unwrap().judged, 3, "three are what the policy needs");
    assert_eq!(verdict.client_reference, "reference-7");
    let few = check_request(&mut client, frames_request(vec![image(LIVE); 2])).await.unwrap();
    assert_ne!(few.decision(), Decision::Accept);
    let attack = check_request(&mut client, frames_request(vec![image(ATTACK); 3])).await.unwrap();
    assert_eq!(attack.decision(), Decision::Reject);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_checked_by_name() {
    let rig = start(|config| config.grpc.max_frames = 4).await;
    let mut client = rig.client().await;
    let with = |change: fn(&mut v1::CheckMediaRequest)| {
        let mut request = image_request(image(LIVE));
        change(&mut request);
        request
    };
    let table = [
        (with(|r| r.media = None), "MEDIA_MISSING", "media"),
        (with(|r| r.policy = "lenient".into()), "POLICY_UNKNOWN", "policy"),
        (with(|r| r.policy = "x".repeat(5000)), "POLICY_UNKNOWN", "policy"),
        (with(|r| r.client_reference = "abcd".into()), "CLIENT_REFERENCE_LENGTH", "client_reference"),
        (with(|r| r.client_reference = "x".repeat(256)), "CLIENT_REFERENCE_LENGTH", "client_reference"),
        (with(|r| r.request_id = "seven".into()), "REQUEST_ID_INVALID", "request_id"),
        (frames_request(vec![]), "MEDIA_MISSING", "frames.frames"),
        (frames_request(vec![image(LIVE); 5]), "TOO_MANY_FRAMES", "frames.frames"),
        (frames_request(vec![image(LIVE), file(vec![1, 2, 3], "")]), "MEDIA_FORMAT_UNKNOWN", "frames.frames[1].data"),
    ];
    for (request, reason, path) in table {
        let status = check_request(&mut client, request).await.unwrap_err();
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_makes_a_call_idempotent() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let id = uuid::Uuid::new_v4().to_string();
    let request = v1::CheckMediaRequest { request_id: id.clone(), ..image_request(image(LIVE)) };
    let first = check_request(&mut client, request.clone()).await.unwrap();
    let again = check_request(&mut client, request.clone()).await.unwrap();
    assert_eq!(first, again, "even the timings are those of the first call");
    assert_eq!(rig.hold.begun(), 1);
    let other = v1::CheckMediaRequest { request_id: id, ..image_request(image(ATTACK)) };
    let status = check_request(&mut client, other).await.unwrap_err();
    is(&status, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(field(&status), "request_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_say_what_is_configured() {
    let rig = start(|config| config.grpc.max_frames = 7).await;
    let said = rig.client().await.get_capabilities(v1::GetCapabilitiesRequest {}).await.unwrap().into_inner();
    assert_eq!(said.pack.unwrap().id, "tiny");
    assert_eq!(said.runtime.unwrap().name, "rten");
    assert_eq!(said.limits.unwrap().max_frames, 7);
    assert!(said.inline_sessions_allowed, "the default on a loopback address");
    let roles: Vec<String> = said.models.into_iter().map(|model| model.role).collect();
    assert_eq!(roles, ["detector", "liveness"]);
    let default: Vec<_> = said.policies.iter().filter(|policy| policy.is_default).collect();
    assert_eq!(default.len(), 1);
    assert_eq!(default[0].frames_needed, 3);
    assert_eq!(default[0].required_checks, ["PresentationAttack"]);
    assert!(default[0].thresholds["PresentationAttack"] > 0.0);
}
