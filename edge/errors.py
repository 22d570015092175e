"""All errors, as one tree. Each leaf says at which step of a frame's life it is raised.

    EdgeError
    ├── RequestError                 the client can fix it
    │   ├── BadRequest               400  the request does not have the form that the route expects
    │   ├── CorruptImage             400  bytes -> Frame: truncated or broken
    │   ├── UnsupportedImage         415  bytes -> Frame: not a supported format
    │   ├── BodyTooLarge             413  before the body is read
    │   ├── ImageTooLarge            413  bytes -> Frame: too many pixels or bytes, by its header
    │   ├── ImageTooComplex          413  bytes -> Frame: more scans, chunks or tags than it needs
    │   ├── BodyTimeout              408  the body did not arrive in time
    │   ├── ModelNotFound            404  no such model or version
    │   ├── HeadTooLarge             431  in web: the head of the request is too large
    │   ├── UrlTooLong               414  in web: the URL is too long
    │   ├── HeadTimeout              408  in web: the head did not arrive in time
    │   ├── UnsupportedEncoding      415  in web: the body is compressed in an unknown way
    │   └── EntryNotFound            404  in web: no such outbox entry
    ├── Refusal                      the service cannot answer now; a retry may succeed
    │   ├── Overloaded               503  too many frames in flight
    │   ├── OutOfMemory              503  bytes -> Frame: no memory for its pixels right now
    │   ├── ModelUnavailable         503  the model is loading, or could not be loaded
    │   ├── ShuttingDown             503  the service is stopping
    │   ├── DeadlineExceeded         504  the frame's deadline passed before its answer
    │   ├── TooManyConnections       503  in web: all connections are in use
    │   ├── TooManyStreams           429  in web: too many streams are open
    │   └── TooManyWalls             429  in web: too many walls are open
    ├── NotFound                     404  in web: no such path
    ├── MethodNotAllowed             405  in web: the path takes other methods
    ├── NotServed                    501  in web: an operation that no image export has
    ├── PictureGone                  404  in web: the wall no longer has the image
    ├── NoOutbox                     409  in web: no outbox that keeps images takes a correction
    ├── HttpsNeeded                  307  in web: plain HTTP on the port of HTTPS
    ├── NoPhone                      404  in web: phones cannot reach the address of the service
    ├── ForeignPage                  403  in web: another site's page sent the request
    ├── UnknownHost                  421  in web: a host that this service is not
    ├── KeyMissing                   401  in web: no API key, or an unknown one
    ├── KeyExpired                   401  in web: the API key has expired
    ├── KeyForbidden                 403  in web: the API key does not allow this
    ├── Internal                     500  in web: a fault of the service itself
    ├── InferenceFailed              500  the interpreter failed on a valid frame
    ├── CloudError                   502  no answer of the online model; the edge's is sent
    │   ├── CloudUnreachable         503  no connection, a timeout, or a request to retry later
    │   ├── CloudMisconfigured       502  the endpoint or the credentials are wrong
    │   ├── CloudNotAsked            502  this frame cannot be sent
    │   ├── CloudRefused             502  the online model refuses this frame
    │   └── CloudNonsense            502  the answer is malformed
    ├── OutboxError                  503  frame -> outbox entry: disk full, read-only or broken
    │   ├── OutboxFull               503  no room for a frame; entries can still be resolved
    │   ├── OutboxDamaged            503  a page of the database is broken; waiting does not help
    │   └── EntryUnreadable          503  one entry's image was not kept, or cannot be decrypted
    │       └── EntryDamaged         503  one entry's image is lost or broken
    ├── CommandError                 at the command line: the command cannot run
    │   ├── UsageError               its arguments are incomplete or name something missing
    │   ├── InputError               a file cannot be read
    │   ├── DataSetError             a data set cannot be read, or not all of it
    │   ├── NoMoreAnswers            in evaluation: the source answers no further picture
    │   └── OutputError              a file cannot be written
    ├── ExportError                  on loading: the export is refused
    ├── SettingsError                at startup: a setting is invalid
    └── MeasurementFailed            500  in `edge bench`: the server could not be measured

Errors marked "in web" are defined in `edge.web`, next to the routes that raise them. Every error
has an HTTP status, a code that never changes, and a message that anyone may read.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class EdgeError(Exception):
    """Base of the tree.

    Attributes:
        status: the HTTP status of the response.
        code: a stable word for programs; ``message`` is for people and may change.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestError(EdgeError):
    """The request is at fault; sending it again unchanged gives the same error."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class BadRequest(RequestError):
    """The request does not have the form that the route expects."""


class CorruptImage(RequestError):
    """The image is truncated or broken."""

    code = "corrupt_image"


class UnsupportedImage(RequestError):
    """The bytes are not an image, or its format or pixel type is not supported."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_image"


class BodyTooLarge(RequestError):
    """The body exceeds the limit of bytes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class ImageTooLarge(RequestError):
    """The image exceeds the limit of pixels, of a side or of memory, by its header."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "image_too_large"


class ImageTooComplex(RequestError):
    """The image's decoding would cost more than its pixels: scans, chunks, tags or fill bytes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "image_too_complex"


class BodyTimeout(RequestError):
    """The body did not arrive before the frame's deadline."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "body_timeout"


class ModelNotFound(RequestError):
    """There is no model of that name, or it does not have that version."""

    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"


class Refusal(EdgeError):
    """The service cannot answer the frame now.

    Attributes:
        retry_after_s: seconds after which to retry; ``None`` if waiting alone does not help.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    retry_after_s: int | None = 1


class Overloaded(Refusal):
    """The service already has as many frames in flight as it accepts."""

    code = "overloaded"


class OutOfMemory(Refusal):
    """There is no memory for the image's pixels now: others are being decoded, or none is left."""

    code = "out_of_memory"


class ModelUnavailable(Refusal):
    """The model exists but does not serve: it is loading, or could not be loaded."""

    code = "model_unavailable"


class ShuttingDown(Refusal):
    """The service is stopping: it answers what it accepted, and accepts nothing new."""

    code = "shutting_down"


class DeadlineExceeded(Refusal):
    """The frame's deadline passed before it was computed, or before its answer was ready."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline_exceeded"
    retry_after_s = None


class InferenceFailed(EdgeError):
    """The interpreter failed on a frame that was decoded without errors."""

    code = "inference_failed"


class CloudError(EdgeError):
    """The online model did not answer."""

    status = HTTPStatus.BAD_GATEWAY
    code = "cloud_failed"


class CloudUnreachable(CloudError):
    """No answer in time, or the cloud asked to wait (429, 503, 504); a retry may succeed.

    Attributes:
        costly: the call timed out or found no server, and the next call would as well.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "cloud_unreachable"

    def __init__(self, message: str, *, costly: bool = False) -> None:
        super().__init__(message)
        self.costly = costly


class CloudMisconfigured(CloudError):
    """The endpoint does not exist, or the credentials give no access; the frame is not at fault."""

    code = "cloud_misconfigured"


class CloudNotAsked(CloudError):
    """This frame cannot be sent. That says nothing about the cloud."""

    code = "cloud_not_asked"


class CloudRefused(CloudError):
    """The cloud refuses this frame; sending it again has the same result.

    Attributes:
        certain: it is the frame's fault, since the cloud takes others.
    """

    code = "cloud_refused"

    def __init__(self, message: str, *, certain: bool = True) -> None:
        super().__init__(message)
        self.certain = certain


class CloudNonsense(CloudError):
    """The online model's answer has an unknown shape, or contains values that are not finite."""

    code = "cloud_nonsense"


class OutboxError(EdgeError):
    """The outbox cannot be written or read: disk full, read-only or broken."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "outbox_failed"


class OutboxFull(OutboxError):
    """The disk has no room for another frame."""

    code = "outbox_full"


class EntryUnreadable(OutboxError):
    """One entry's image was not kept, or was encrypted with another key; others are readable."""

    code = "entry_unreadable"


class EntryDamaged(EntryUnreadable):
    """One entry's image is lost or broken on the disk: no setting brings it back."""

    code = "entry_damaged"


class OutboxDamaged(OutboxError):
    """A page of the outbox's database is broken; rows on other pages may be readable."""

    code = "outbox_damaged"


class CommandError(EdgeError):
    """A command cannot do what was asked; it ends with exit code 2."""

    code = "command_failed"


class UsageError(CommandError):
    """The command's arguments are incomplete, or name something that does not exist."""

    code = "wrong_usage"


class InputError(CommandError):
    """An input file of the command cannot be read."""

    code = "unreadable_file"


class DataSetError(CommandError):
    """A data set cannot be read, or lines or files of it are wrong.

    Attributes:
        faults: what is wrong and where, a line each; the message says how many there are.
    """

    code = "unreadable_data_set"

    def __init__(self, message: str, faults: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class OutputError(CommandError):
    """An output file or folder of the command cannot be written."""

    code = "unwritable_file"


class ExportError(EdgeError):
    """An export is refused.

    Attributes:
        file: the file or folder at fault.
        reason: what is wrong with it.
        remedy: what to do about it.
    """

    code = "export_refused"

    def __init__(self, file: object, reason: str, remedy: str) -> None:
        super().__init__(f"{file}: {reason.removesuffix('.')}. {remedy.removesuffix('.')}.")
        self.file = str(file)
        self.reason = reason
        self.remedy = remedy


class SettingsError(EdgeError):
    """A setting is unknown or has an invalid value; the message names it."""

    code = "wrong_setting"


class MeasurementFailed(EdgeError):
    """`edge bench` could not measure: the server did not start or did not answer."""

    code = "measurement_failed"
