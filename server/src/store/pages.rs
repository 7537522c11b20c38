//! Lists of sessions, a page at a time, the newest first. A page begins after the last session of the one before it, so that sessions
//! made meanwhile shift nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lifesign_proto::v1;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    State, Store, StoreError, View, millis,
    sessions::{columns, limits, overdue},
};

/// Sessions on a page where the request does not say.
pub const DEFAULT_PAGE: u32 = 50;

/// Sessions on a page at most: a row has a whole verdict, some kilobytes.
pub const MAX_PAGE: u32 = 500;

/// Decisions there are, with "none yet".
const DECISIONS: [v1::Decision; 6] = [
    v1::Decision::Unspecified,
    v1::Decision::Accept,
    v1::Decision::Reject,
    v1::Decision::Retry,
    v1::Decision::Review,
    v1::Decision::Indeterminate,
];

/// No state and no decision has this number.
const NOTHING: i64 = -1;

/// Which sessions. What is not set lets everything through; what is set must all hold.
#[derive(Clone, Default)]
pub struct Filter {
    /// In one of these states; empty: any.
    pub states: Vec<State>,
    /// With one of these decisions; empty: any, or none.
    pub decisions: Vec<v1::Decision>,
    /// Under this policy; empty: any.
    pub policy: String,
    /// With this reference of the caller's; empty: any. Personal, like the session's: `Filter` is not `Debug`.
    pub client_reference: String,
    /// Created at this time or later.
    pub created_from: Option<SystemTime>,
    /// Created before this time.
    pub created_before: Option<SystemTime>,
}

/// Which page.
#[derive(Clone, Copy)]
pub struct PageRequest<'a> {
    /// Sessions on it; 0: [`DEFAULT_PAGE`]; above [`MAX_PAGE`]: that.
    pub size: u32,
    /// The token that the page before it gave; empty: the first.
    pub token: &'a str,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The newest first. Their verdicts have decision, reasons, policy and pack only.
    pub sessions: Vec<View>,
    /// For the next page; empty: this is the last.
    pub next: String,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The page token is not of this store, or belongs to other filters or another owner.
    #[error("the page token is not one that this server gave for these filters")]
    PageToken,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The last session of a page.
struct Place {
    created: i64,
    id: String,
}

impl Store {
    /// A page of this owner's sessions.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn list_sessions(
        &self,
        owner: &str,
        filter: &Filter,
        page: PageRequest<'_>,
        now: SystemTime,
    ) -> Result<Page, ListError> {
        let context = filter.context(owner);
        let after = match page.token {
            "" => Place { created: i64::MAX, id: String::new() },
            token => self.place(&context, token).ok_or(ListError::PageToken)?,
        };
        let size = if page.size == 0 { DEFAULT_PAGE } else { page.size.min(MAX_PAGE) };
        let mut sessions = self.rows(owner, filter, &after, size, now).await?;
        let full = usize::try_from(size).unwrap_or(usize::MAX);
        let more = sessions.len() > full;
        sessions.truncate(full);
        let next = match sessions.last().filter(|_| more) {
            Some(last) => self.token(&context, last)?,
            None => String::new(),
        };
        Ok(Page { sessions, next })
    }

    /// One session more than fits on the page, to tell whether there is another page.
    async fn rows(
        &self,
        owner: &str,
        filter: &Filter,
        after: &Place,
        size: u32,
        now: SystemTime,
    ) -> Result<Vec<View>, StoreError> {
        let list = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE owner = $1 AND (created, id) < ($2, $3) AND created >= $4 AND created < $5 \
             AND NOT (state > 2 AND expires <= $6) AND ($8 = '' OR policy = $8) AND ($9 = '' OR client_reference = $9) \
             AND CASE WHEN ",
            overdue!("$6", "$7"),
            " THEN $14 ELSE state END IN ($10, $11, $12, $13, $15) AND decision IN ($16, $17, $18, $19, $20, $21) \
             ORDER BY created DESC, id DESC LIMIT $22"
        );
        let (limit, late) = limits(now);
        let query = sqlx::query(list).bind(owner).bind(after.created).bind(&*after.id);
        let query = query.bind(filter.created_from.map_or(i64::MIN, millis_up));
        let query = query.bind(filter.created_before.map_or(i64::MAX, millis_up));
        let query = query.bind(limit).bind(late).bind(&*filter.policy).bind(&*filter.client_reference);
        let wanted = |state: State| filter.states.is_empty() || filter.states.contains(&state);
        let state = |state: State| if wanted(state) { state.number() } else { NOTHING };
        let query = query.bind(state(State::Pending)).bind(state(State::Active)).bind(state(State::Completed));
        let query = query.bind(state(State::Cancelled)).bind(State::Expired.number()).bind(state(State::Expired));
        let query = DECISIONS.into_iter().fold(query, |query, decision| {
            let wanted = filter.decisions.is_empty() || filter.decisions.contains(&decision);
            query.bind(if wanted { i64::from(i32::from(decision)) } else { NOTHING })
        });
        let rows = query.bind(i64::from(size) + 1).fetch_all(self.pool()).await?;
        let read = |row| Ok(View::read(row, now)?.map(brief));
        rows.iter().filter_map(|row| read(row).transpose()).collect()
    }

    /// The token of the page after this session: sealed, so that it tells nothing and can only be used where it was given.
    fn token(&self, context: &[u8], last: &View) -> Result<String, StoreError> {
        let place = [&millis(last.created).to_be_bytes()[..], last.id.as_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(self.keys().seal(context, &place).map_err(StoreError::Keys)?))
    }

    fn place(&self, context: &[u8], token: &str) -> Option<Place> {
        let place = self.keys().open(context, &URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (created, id) = place.split_first_chunk()?;
        Some(Place { created: i64::from_be_bytes(*created), id: Uuid::from_slice(id).ok()?.to_string() })
    }
}

impl Filter {
    /// What a page token is bound to. In what order states and decisions are named is no matter.
    fn context(&self, owner: &str) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"lifesign page");
        for text in [owner, &self.policy, &self.client_reference] {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        for state in State::ALL {
            hash.update([u8::from(self.states.contains(&state))]);
        }
        for decision in DECISIONS {
            hash.update([u8::from(self.decisions.contains(&decision))]);
        }
        for time in [self.created_from, self.created_before] {
            hash.update([u8::from(time.is_some())]);
            hash.update(time.map_or(0, millis_up).to_be_bytes());
        }
        hash.finalize().into()
    }
}

/// The first millisecond that is not before this time: what was created in it or later was created at the time or later, as
/// far as the store can tell.
fn millis_up(time: SystemTime) -> i64 {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
    i64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// A session as a list shows it.
fn brief(mut view: View) -> View {
    view.verdict = view.verdict.map(|verdict| v1::Verdict {
        decision: verdict.decision,
        reasons: verdict.reasons,
        policy: verdict.policy,
        pack: verdict.pack,
        ..v1::Verdict::default()
    });
    view
}
