//! The way from the local verdict to the final one: what was kept of a presentation is shown to the vendors that its policy
//! asks.

use std::{sync::Arc, time::Instant};

use lifesign_core::{
    policy::{Policy, Strategy},
    session::{Event, Session},
    vendors::{self, Clip, Keeper, Material, Needs, Phase, Question, Shot},
    verdict::Verdict,
};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};

use super::shared::Shared;
use crate::engine::{Media, MediaForm, Picture};

/// What a kept frame's memory is accounted with: a stream's share in the media budget. What came with a call needs none.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// What is kept of one presentation while it is judged.
#[derive(Debug)]
pub(super) struct Kept {
    needs: Needs,
    keeper: Keeper<Room>,
    video: Option<Clip>,
    reference: Option<Shot>,
    /// The video's share in the media budget.
    room: Room,
}

/// Whether a policy may ask vendors at all.
pub(super) fn asks(policy: &Policy) -> bool {
    policy.config().vendors.strategy != Strategy::Local
}

impl Kept {
    /// Keeps what the policy's vendors need, which is nothing where it asks none.
    pub(super) fn new(shared: &Shared, policy: &Policy) -> Self {
        let needs = shared.setup.vendors.needs(policy);
        Self { needs, keeper: Keeper::new(needs), video: None, reference: None, room: None }
    }

    /// Keeps the video that came as well, where a vendor takes one.
    pub(super) fn video(&mut self, clip: Clip) {
        if self.needs.video {
            self.video = Some(clip);
        }
    }

    /// Once a video has been decoded: what it was accounted with, which is free again unless the video is kept.
    pub(super) fn hold(&mut self, room: Room) {
        self.room = room.filter(|_| self.video.is_some());
    }

    /// Keeps the reference image as well, where a vendor compares with it.
    pub(super) fn reference(&mut self, media: Media) {
        if self.needs.reference {
            self.reference = Some(shot(media));
        }
    }

    /// Takes a frame that the session has just judged by `events`, unless it is of no use.
    pub(super) async fn offer(
        &mut self,
        session: &Session,
        (index, captured): (u64, Option<std::time::Duration>),
        events: &[Event],
        picture: Picture,
        room: Room,
    ) {
        let Some(best) = self.keeper.wants(session, index, events) else { return };
        let shot = match picture {
            Picture::Media(media) => shot(media),
            // Compressing takes milliseconds, which the threads that serve sockets do not have.
            Picture::Decoded(frame) => match spawn_blocking(move || vendors::Picture::encode(&frame)).await {
                Ok(Ok(picture)) => Shot::File(picture.data),
                Ok(Err(_)) | Err(_) => return unkept(),
            },
        };
        if self.keeper.offer(captured, shot, best, room).is_err() {
            unkept();
        }
    }

    /// The verdict, with what the vendors say where the policy asks them. `deadline` is the call's.
    pub(super) async fn judge(
        self,
        shared: &Shared,
        policy: &Policy,
        local: Verdict,
        (client_reference, deadline): (&str, Instant),
        told: &(dyn Fn(usize, &str, Phase) + Send + Sync),
    ) -> Verdict {
        if !asks(policy) {
            return local;
        }
        let _room = self.room;
        let material = Material {
            keeper: self.keeper,
            video: self.video,
            reference: self.reference,
            limits: shared.setup.limits,
            ffmpeg: shared.setup.video.ffmpeg.clone(),
        };
        let question = Question {
            gather: Arc::new(move |needs| material.gather(needs)),
            client_reference: Some(client_reference).filter(|text| !text.is_empty()),
            deadline,
            told,
        };
        shared.setup.vendors.judge(policy, local, question).await
    }
}

/// A frame that cannot be compressed cannot be shown; the vendors get another one, or say that they got none.
fn unkept() {
    tracing::warn!("a frame could not be kept for vendors");
}

fn shot(media: Media) -> Shot {
    match media.form {
        MediaForm::Encoded(_) => Shot::File(media.data),
        MediaForm::Raw(layout) => Shot::Raw(media.data, layout),
    }
}
