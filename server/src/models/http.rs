//! Model files over HTTP: resumed by range, redirects and waits limited. The size cap and the hash are the pull's.

use std::time::Duration;

use lifesign_core::pack::{Fetch, Fetched, ModelSpec};
use ureq::{
    Agent,
    http::{StatusCode, header},
};

/// Redirects that are followed: GitHub answers a large file with two.
const MAX_REDIRECTS: u32 = 5;

/// How long a name, a connection, the start of an answer and each piece of it may take. A large file may take longer as a
/// whole, as long as it moves.
const PATIENCE: Duration = Duration::from_secs(30);

/// The public sources that manifests name. Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`), as for every
/// other tool on the machine.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
}

impl Http {
    /// A source that talks TLS only, also after a redirect.
    pub fn new() -> Self {
        Self { agent: Agent::config_builder().https_only(true).into_agent() }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

/// The settings that hold whatever the scheme.
trait IntoAgent {
    fn into_agent(self) -> Agent;
}

impl IntoAgent for ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    fn into_agent(self) -> Agent {
        self.max_redirects(MAX_REDIRECTS)
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            // A compressed answer could not be resumed by range.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .user_agent(concat!("lifesign/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent()
    }
}

impl Fetch for Http {
    fn offers(&self, spec: &ModelSpec) -> bool {
        spec.fetchable
    }

    fn open(&self, spec: &ModelSpec, offset: u64) -> Result<Fetched, String> {
        let request = self.agent.get(&spec.source);
        let request = if offset > 0 { request.header(header::RANGE, format!("bytes={offset}-")) } else { request };
        let answer = request.call().map_err(|error| format!("{}: {error}", spec.source))?;
        let offset = match answer.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, offset) => offset,
            status => return Err(format!("{}: the server answers {status}", spec.source)),
        };
        // One byte more than the file has is enough for the pull to see that it is too long.
        let body = answer.into_body().into_with_config().limit(spec.size.saturating_add(1)).reader();
        Ok(Fetched { offset, body: Box::new(body) })
    }
}

/// Whether a partial answer starts where it was asked to.
fn starts_at(answer: &ureq::http::Response<ureq::Body>, offset: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start == Some(offset)
}

#[cfg(test)]
mod tests;
