#!/usr/bin/env python3
"""A Python client of lifesign.v1 over grpcio, with stubs made from the .proto files at run time.

usage: client.py ADDRESS image FILE…       one CheckMedia each; prints FILE, the decision and the attack score
       client.py ADDRESS stream FRAME…     one StreamSession of these JPEG files in 64 KiB chunks; prints the decision
       client.py ADDRESS raw FRAME…        the same, decoded here and sent as RGB8 pixels
       client.py ADDRESS session FRAME…    as `stream`, through CreateSession and its token, then GetSession
       client.py ADDRESS video CLIP        a video by CheckMedia and as the chunks of a stream; prints the decision, the
                                           same by both
"""

import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc

CHUNK_BYTES = 64 * 1024


def stubs():
    """Compiles the .proto files of this repository into a temporary folder and imports them."""
    proto = pathlib.Path(__file__).resolve().parents[2] / "proto"
    out = tempfile.mkdtemp()
    files = [str(path.relative_to(proto)) for path in (proto / "lifesign/v1").glob("*.proto")]
    if protoc.main(["protoc", f"-I{proto}", f"-I{pathlib.Path(protoc.__file__).parent}/_proto", f"--python_out={out}",
                    f"--grpc_python_out={out}", *files]):
        sys.exit("the .proto files do not compile")
    sys.path.insert(0, out)
    from lifesign.v1 import liveness_service_pb2 as service, liveness_service_pb2_grpc as rpc, media_pb2, verdict_pb2
    return service, rpc, media_pb2, verdict_pb2


def encoded(media, path):
    """A file as it is, and how to read it."""
    return pathlib.Path(path).read_bytes(), {"media_type": "image/jpeg"}


def pixels(media, path):
    """A file's pixels, and how to read them."""
    from PIL import Image
    picture = Image.open(path).convert("RGB")
    return picture.tobytes(), {"raw": media.RawPixels(format=media.PIXEL_FORMAT_RGB8, width=picture.width,
                                                      height=picture.height)}


def video_messages(service, media, data, media_type):
    """Start and a video in chunks; the verdict comes without `finish`."""
    yield service.StreamSessionRequest(start=service.StreamSessionRequest.Start(config=service.SessionConfig()))
    for offset in range(0, len(data), CHUNK_BYTES):
        part = data[offset:offset + CHUNK_BYTES]
        chunk = media.MediaChunk(offset=offset, data=part, last=offset + len(part) == len(data), media_type=media_type)
        yield service.StreamSessionRequest(chunk=chunk)


def video(stub, service, media, data):
    """The verdicts on a video by both doors."""
    whole = stub.CheckMedia(service.CheckMediaRequest(video=media.Video(data=data)), timeout=60).verdict
    media_type = "video/webm" if data.startswith(b"\x1a\x45\xdf\xa3") else "video/mp4"
    replies = list(stub.StreamSession(video_messages(service, media, data, media_type), timeout=60))
    return whole, replies[-1].verdict


def messages(service, media, start, frames, read):
    """Start, the frames in chunks, finish."""
    yield service.StreamSessionRequest(start=start)
    for index, path in enumerate(frames):
        data, form = read(media, path)
        for offset in range(0, len(data), CHUNK_BYTES):
            part = data[offset:offset + CHUNK_BYTES]
            chunk = media.MediaChunk(frame_index=index, offset=offset, data=part,
                                     last=offset + len(part) == len(data), **form)
            chunk.capture_time.FromMilliseconds(index * 200)
            yield service.StreamSessionRequest(chunk=chunk)
    yield service.StreamSessionRequest(finish=service.StreamSessionRequest.Finish())


def stream(stub, service, media, start, frames, read=encoded):
    """The one verdict of a stream, which must be its last message."""
    replies = list(stub.StreamSession(messages(service, media, start, frames, read), timeout=60))
    kinds = [reply.WhichOneof("message") for reply in replies]
    assert kinds[0] == "accepted" and kinds[-1] == "verdict" and kinds.count("verdict") == 1, kinds
    return replies[0].accepted, replies[-1].verdict


def main():
    address, command, *files = sys.argv[1:]
    service, rpc, media, verdicts = stubs()
    name = verdicts.Decision.Name
    with grpc.insecure_channel(address) as channel:
        stub = rpc.LivenessServiceStub(channel)
        start = service.StreamSessionRequest.Start
        if command == "image":
            for file in files:
                image = media.Image(data=pathlib.Path(file).read_bytes(), media_type="image/jpeg")
                verdict = stub.CheckMedia(service.CheckMediaRequest(image=image), timeout=60).verdict
                score = next((c.score for c in verdict.checks if c.id == "PresentationAttack"), None)
                print(file, name(verdict.decision), score)
        elif command in ("stream", "raw"):
            read = pixels if command == "raw" else encoded
            _, verdict = stream(stub, service, media, start(config=service.SessionConfig()), files, read)
            print(name(verdict.decision))
        elif command == "video":
            whole, streamed = video(stub, service, media, pathlib.Path(files[0]).read_bytes())
            assert whole.decision == streamed.decision, (whole, streamed)
            scores = [{c.id: round(c.score, 4) for c in v.checks if c.HasField("score")} for v in (whole, streamed)]
            assert scores[0] == scores[1], scores
            assert len(whole.timeline) == whole.frames.analysed > 0, whole.frames
            print(name(whole.decision))
        elif command == "session":
            made = stub.CreateSession(service.CreateSessionRequest(), timeout=10)
            assert len(made.nonce) == 32, made
            accepted, verdict = stream(stub, service, media, start(session_token=made.session_token), files)
            assert accepted.session_id == made.session_id
            assert not verdict.diagnostics, "diagnostics are for the backend, not for a device"
            kept = stub.GetSession(service.GetSessionRequest(session_id=made.session_id), timeout=10).session
            assert kept.state == service.SESSION_STATE_COMPLETED, kept
            assert kept.verdict.decision == verdict.decision, kept
            try:
                stream(stub, service, media, start(session_token=made.session_token), files)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
            else:
                sys.exit("a used token opened a second stream")
            print(name(verdict.decision))
        else:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
