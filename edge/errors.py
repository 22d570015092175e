"""Everything that can go wrong, as one tree. A leaf names its arrow of a frame's life.

    EdgeError
    ├── RequestError                 the caller can fix it
    │   ├── BadRequest               400  the request does not have the form that the route takes
    │   ├── CorruptImage             400  bytes -> Frame: truncated or broken
    │   ├── UnsupportedImage         415  bytes -> Frame: not a format that is read here
    │   ├── BodyTooLarge             413  before the body is read
    │   ├── ImageTooLarge            413  bytes -> Frame: too many pixels, according to the header
    │   ├── BodyTimeout              408  the body did not arrive in time
    │   ├── ModelNotFound            404  no such model or version
    │   ├── ForeignPage              403  in web: another site's page sent the request
    │   └── EntryNotFound            404  in web: no such outbox entry
    ├── Refusal                      the service cannot take it now; a later try may work
    │   ├── Overloaded               503  too many frames in flight
    │   ├── ModelUnavailable         503  the model is loading, or could not be loaded
    │   ├── ShuttingDown             503  the service is stopping
    │   ├── DeadlineExceeded         504  the frame's deadline passed before its answer
    │   ├── TooManyStreams           429  in web: too many streams are open
    │   └── TooManyWalls             429  in web: too many walls are open
    ├── NotFound                     404  in web: no such path
    ├── MethodNotAllowed             405  in web: the path takes other methods
    ├── NotServed                    501  in web: an operation that no image export has
    ├── PictureGone                  404  in web: the wall no longer has the picture
    ├── NoPhone                      404  in web: no phone can reach the address that is served
    ├── KeyMissing                   401  in web: no API key, or an unknown one
    ├── KeyExpired                   401  in web: the API key has expired
    ├── KeyForbidden                 403  in web: the API key does not open this
    ├── Internal                     500  in web: a fault of the service itself
    ├── InferenceFailed              500  the interpreter failed on a good frame
    ├── CloudError                   502  no answer from the online model: the edge's goes out instead
    │   ├── CloudUnreachable         503  no connection, no time, or asked to come back later
    │   ├── CloudMisconfigured       502  the endpoint or the credentials are wrong
    │   ├── CloudNotAsked            502  this frame cannot be sent
    │   ├── CloudRefused             502  this frame is refused
    │   └── CloudNonsense            502  the answer makes no sense
    ├── OutboxError                  503  frame -> outbox entry: the disk is full, read-only or broken
    │   ├── OutboxFull               503  no room for a frame; entries can still be resolved
    │   └── EntryUnreadable          503  one entry's image was not kept, or cannot be decrypted
    ├── CommandError                 at the command line: the command cannot do what was asked
    │   ├── UsageError               its arguments name nothing, or something that is not there
    │   ├── InputError               a file cannot be read
    │   └── OutputError              a file cannot be written
    ├── ExportError                  at load: the export is refused
    ├── SettingsError                at start: a setting is wrong
    └── MeasurementFailed            500  in `edge bench`: the server could not be measured

Errors marked "in web" are defined in `edge.web`, next to the routes that raise them.
Every error carries an HTTP status, a code that never changes, and a sentence fit for a stranger.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar


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
    """The request is at fault: sending it again unchanged gives the same error."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class BadRequest(RequestError):
    """The request does not have the form that the route takes."""


class CorruptImage(RequestError):
    """The image is truncated or broken."""

    code = "corrupt_image"


class UnsupportedImage(RequestError):
    """The bytes are not an image, or of a format or pixel type that is not read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_image"


class BodyTooLarge(RequestError):
    """The body has more bytes than the service takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class ImageTooLarge(RequestError):
    """The image's header promises more pixels than the service decodes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "image_too_large"


class BodyTimeout(RequestError):
    """The body did not arrive before the frame's deadline."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "body_timeout"


class ModelNotFound(RequestError):
    """No model, or no version of it, has that name."""

    status = HTTPStatus.NOT_FOUND
    code = "model_not_found"


class Refusal(EdgeError):
    """The service cannot take the frame now.

    Attributes:
        retry_after_s: seconds after which to try again; ``None`` if waiting alone does not help.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    retry_after_s: int | None = 1


class Overloaded(Refusal):
    """As many frames are in flight as the service holds."""

    code = "overloaded"


class ModelUnavailable(Refusal):
    """The model exists but does not serve: still loading, or it could not be loaded."""

    code = "model_unavailable"


class ShuttingDown(Refusal):
    """The service is stopping: it answers what it accepted and takes nothing new."""

    code = "shutting_down"


class DeadlineExceeded(Refusal):
    """The frame's deadline passed; it was not computed, or its answer came too late."""

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
    """No answer in time, or the cloud asked to wait (429, 503, 504): a later try may work.

    Attributes:
        costly: the call ran into its deadline or found no server, and so would the next one.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "cloud_unreachable"

    def __init__(self, message: str, *, costly: bool = False) -> None:
        super().__init__(message)
        self.costly = costly


class CloudMisconfigured(CloudError):
    """The endpoint does not exist, or the credentials give no access: no frame is at fault."""

    code = "cloud_misconfigured"


class CloudNotAsked(CloudError):
    """This frame cannot be sent, which says nothing about the cloud."""

    code = "cloud_not_asked"


class CloudRefused(CloudError):
    """The cloud refuses this frame: sending it again has the same result."""

    code = "cloud_refused"


class CloudNonsense(CloudError):
    """The online model's answer has no known shape, or holds values that are not finite numbers."""

    code = "cloud_nonsense"


class OutboxError(EdgeError):
    """The outbox cannot be written or read: disk full, read-only or broken."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "outbox_failed"


class OutboxFull(OutboxError):
    """The disk has no room for one more frame."""

    code = "outbox_full"


class EntryUnreadable(OutboxError):
    """One entry's image was not kept, or was encrypted with another key; others are readable."""

    code = "entry_unreadable"


class CommandError(EdgeError):
    """A command of the command line cannot do what was asked; it ends with exit code 2."""

    code = "command_failed"


class UsageError(CommandError):
    """The command's arguments name nothing to work on, or something that is not there."""

    code = "wrong_usage"


class InputError(CommandError):
    """A file that the command was given cannot be read."""

    code = "unreadable_file"


class OutputError(CommandError):
    """A file or folder that the command was told to write cannot be written."""

    code = "unwritable_file"


class ExportError(EdgeError):
    """An export is refused: ``file`` is at fault for ``reason``; ``remedy`` says what to do."""

    code = "export_refused"

    def __init__(self, file: object, reason: str, remedy: str) -> None:
        super().__init__(f"{file}: {reason.removesuffix('.')}. {remedy.removesuffix('.')}.")
        self.file = str(file)
        self.reason = reason
        self.remedy = remedy


class SettingsError(EdgeError):
    """A setting is unknown or has a value that cannot be used; the message names it."""

    code = "wrong_setting"


class MeasurementFailed(EdgeError):
    """`edge bench` could not measure: the server did not start or did not answer."""

    code = "measurement_failed"
