//! What is kept of a judgement: a line of the audit log always, the rest as the policy's retention says.

use lifesign_core::{policy::Policy, verdict::Verdict};
use lifesign_proto::v1;
use uuid::Uuid;

use super::shared::Shared;
use crate::{
    access::Caller,
    convert,
    status::Fault,
    store::{AuditLine, Kind, NewSession},
};

/// Ends a `CheckMedia`. Under a policy with retention it becomes a session that has ended; else only the audit log knows of it.
pub(super) async fn check(
    shared: &Shared,
    caller: &Caller,
    policy: &Policy,
    client_reference: String,
    verdict: &Verdict,
) -> Result<v1::Verdict, Fault> {
    let (name, now) = (&policy.reference().id, shared.clock.now());
    if shared.backing.retention.of(name).is_none() {
        let verdict = convert::verdict(verdict, "", &client_reference);
        shared.store().append_audit(&AuditLine::of_check(&caller.client, name, &verdict), now).await?;
        return Ok(verdict);
    }
    let id = Uuid::new_v4();
    let verdict = convert::verdict(verdict, &id.to_string(), &client_reference);
    let about = NewSession {
        owner: caller.client.clone(),
        kind: Kind::Check,
        policy: name.clone(),
        client_reference,
        external_id: String::new(),
        reference: None,
    };
    shared.store().record_session(about, &verdict, id, shared.forget_at(name), now).await?;
    shared.live.changed();
    Ok(verdict)
}

/// Ends a session with its verdict; `false` where it has ended otherwise meanwhile: the verdict is void then.
pub(super) async fn complete(shared: &Shared, id: Uuid, policy: &str, verdict: &v1::Verdict) -> Result<bool, Fault> {
    let completed = shared.store().complete_session(id, verdict, shared.forget_at(policy), shared.clock.now()).await?;
    shared.live.changed();
    Ok(completed)
}
