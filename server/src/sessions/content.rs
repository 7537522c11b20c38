//! What tells one request from another: a hash of its content.

use bytes::Bytes;
use lifesign_proto::v1;
use prost::Message;
use sha2::{Digest, Sha256};

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

impl Content for v1::DeleteSessionRequest {
    fn media(&mut self) -> Vec<&mut Bytes> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
