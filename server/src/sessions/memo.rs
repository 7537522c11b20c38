//! Answers remembered by `request_id` (AIP-155): a repeated call gets the first answer again.
//!
//! Of two equal calls at the same time the second waits for the first and shares its answer; if the first fails or is
//! given up, the second does the work itself. Failures are not remembered: repeating a failed call is the point of it.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use lifesign_proto::v1;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The sha256 of a request's content.
pub type ContentHash = [u8; 32];

/// A request that can be told from others by its content.
pub trait Content: Message {
    /// The media in it, which are megabytes.
    fn media(&mut self) -> Vec<&mut Bytes>;
}

/// The hash of a request, whose `request_id` the caller has cleared. Each of its media is hashed by itself and stands in
/// for its bytes, so that encoding the rest copies none of them.
pub fn content_hash(mut request: impl Content) -> ContentHash {
    for data in request.media() {
        *data = Bytes::copy_from_slice(&Sha256::digest(&data));
    }
    Sha256::digest(request.encode_to_vec()).into()
}

impl Content for v1::CheckMediaRequest {
    fn media(&mut self) -> Vec<&mut Bytes> {
        use v1::check_media_request::Media;
        let mut media: Vec<&mut Bytes> = match &mut self.media {
            Some(Media::Image(image)) => vec![&mut image.data],
            Some(Media::Frames(list)) => list.frames.iter_mut().map(|frame| &mut frame.data).collect(),
            Some(Media::Video(video)) => vec![&mut video.data],
            None => Vec::new(),
        };
        media.extend(self.reference.as_mut().map(|reference| &mut reference.data));
        media
    }
}

impl Content for v1::CreateSessionRequest {
    fn media(&mut self) -> Vec<&mut Bytes> {
        let reference = self.config.as_mut().and_then(|config| config.reference.as_mut());
        reference.map(|reference| &mut reference.data).into_iter().collect()
    }
}

impl Content for v1::CancelSessionRequest {
    fn media(&mut self) -> Vec<&mut Bytes> {
        Vec::new()
    }
}

/// Why a remembered call gave nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoError<E> {
    /// The id was used for another request.
    #[error("this request_id was used with other content")]
    Reused,
    /// The call itself failed.
    #[error("{0}")]
    Call(E),
}

struct Entry<T> {
    content: ContentHash,
    answer: Arc<OnceCell<T>>,
    expires: SystemTime,
}

struct Table<T> {
    entries: HashMap<Uuid, Entry<T>>,
    /// Ids in the order of their expiry, which is that of their arrival.
    order: VecDeque<Uuid>,
}

/// The answers of one method.
pub struct Memo<T> {
    table: Mutex<Table<T>>,
    capacity: usize,
    remember: Duration,
}

impl<T> std::fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl<T: Clone> Memo<T> {
    /// Remembers at most `capacity` answers, each for `remember`; the oldest goes first.
    pub fn new(capacity: u32, remember: Duration) -> Self {
        let table = Table { entries: HashMap::new(), order: VecDeque::new() };
        Self { table: Mutex::new(table), capacity: usize::try_from(capacity).unwrap_or(usize::MAX), remember }
    }

    /// The remembered answer of `id`, or that of `call`.
    ///
    /// # Errors
    /// [`MemoError`].
    pub async fn answer<E, C, F>(
        &self,
        id: Uuid,
        content: ContentHash,
        now: SystemTime,
        call: C,
    ) -> Result<T, MemoError<E>>
    where
        C: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let cell = self.cell(id, content, now).ok_or(MemoError::Reused)?;
        cell.get_or_try_init(call).await.cloned().map_err(MemoError::Call)
    }

    /// The cell of `id`, a new one where there is none; `None` where it holds other content.
    fn cell(&self, id: Uuid, content: ContentHash, now: SystemTime) -> Option<Arc<OnceCell<T>>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { entries, order } = &mut *table;
        while let Some(oldest) = order.front()
            && entries.get(oldest).is_none_or(|entry| entry.expires <= now)
        {
            entries.remove(oldest);
            order.pop_front();
        }
        if let Some(entry) = entries.get(&id) {
            return (entry.content == content).then(|| Arc::clone(&entry.answer));
        }
        if entries.len() >= self.capacity
            && let Some(oldest) = order.pop_front()
        {
            entries.remove(&oldest);
        }
        let answer = Arc::new(OnceCell::new());
        entries.insert(id, Entry { content, answer: Arc::clone(&answer), expires: now + self.remember });
        order.push_back(id);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const A: ContentHash = [1; 32];
    const B: ContentHash = [2; 32];
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    async fn ask(memo: &Memo<u32>, id: Uuid, content: ContentHash, now: SystemTime, value: u32) -> Result<u32, String> {
        memo.answer(id, content, now, || async { Ok::<_, String>(value) }).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_first_answer_comes_again() {
        let memo = Memo::new(8, MINUTE);
        let id = Uuid::new_v4();
        assert_eq!(ask(&memo, id, A, start(), 1).await, Ok(1));
        assert_eq!(ask(&memo, id, A, start(), 2).await, Ok(1));
        assert_eq!(ask(&memo, Uuid::new_v4(), A, start(), 3).await, Ok(3));
        assert!(ask(&memo, id, B, start(), 4).await.unwrap_err().contains("other content"));
        assert_eq!(ask(&memo, id, B, start() + MINUTE, 5).await, Ok(5), "forgotten by then");
    }

    #[test]
    fn every_part_of_a_request_is_in_its_hash() {
        use v1::check_media_request::Media;
        let image = |data: &'static [u8]| v1::Image { data: Bytes::from_static(data), ..Default::default() };
        let video = |data: &'static [u8]| Media::Video(v1::Video { data: data.into(), ..Default::default() });
        let request = |media| v1::CheckMediaRequest { media: Some(media), ..Default::default() };
        let with = |data| v1::CheckMediaRequest { reference: Some(image(data)), ..request(Media::Image(image(b"a"))) };
        let list = |frames| request(Media::Frames(v1::FrameList { frames }));
        let hashes = [
            content_hash(request(Media::Image(image(b"a")))),
            content_hash(request(Media::Image(image(b"b")))),
            content_hash(request(video(b"a"))),
            content_hash(request(video(b""))),
            content_hash(list(vec![image(b"a")])),
            content_hash(list(vec![image(b"a"), image(b"b")])),
            content_hash(list(vec![image(b"ab"), image(b"")])),
            content_hash(with(b"a")),
            content_hash(with(b"b")),
            content_hash(v1::CheckMediaRequest { policy: "p".into(), ..with(b"b") }),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash), "{index}");
        }
        assert_eq!(content_hash(with(b"a")), content_hash(with(b"a")));
        let session = |data| {
            let config = v1::SessionConfig { reference: Some(image(data)), ..Default::default() };
            content_hash(v1::CreateSessionRequest { config: Some(config), ..Default::default() })
        };
        assert_ne!(session(b"a"), session(b"b"));
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let memo = Memo::new(8, MINUTE);
        let id = Uuid::new_v4();
        let failed = memo.answer(id, A, start(), || async { Err::<u32, _>("no") }).await;
        assert_eq!(failed, Err(MemoError::Call("no")));
        assert_eq!(ask(&memo, id, A, start(), 7).await, Ok(7));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_oldest_goes() {
        let memo = Memo::new(3, MINUTE);
        let ids: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();
        for (value, id) in (0..).zip(&ids) {
            ask(&memo, *id, A, start(), value).await.unwrap();
        }
        assert_eq!(memo.table.lock().unwrap().entries.len(), 3);
        assert_eq!(ask(&memo, ids[4], A, start(), 99).await, Ok(4));
        assert_eq!(ask(&memo, ids[0], A, start(), 99).await, Ok(99));
    }

    #[tokio::test]
    async fn equal_calls_at_once_are_one_call() {
        let memo = Arc::new(Memo::new(8, MINUTE));
        let (id, calls) = (Uuid::new_v4(), Arc::new(AtomicU32::new(0)));
        let all = (0..10).map(|_| {
            let (memo, calls) = (Arc::clone(&memo), Arc::clone(&calls));
            tokio::spawn(async move {
                memo.answer(id, A, start(), || async {
                    tokio::task::yield_now().await;
                    Ok::<_, String>(calls.fetch_add(1, Ordering::SeqCst))
                })
                .await
            })
        });
        for answer in futures::future::join_all(all).await {
            assert_eq!(answer.unwrap(), Ok(0));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
