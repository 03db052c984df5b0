"""Whether workspace and registries have the assets that new content refers to and no file defines, in the preview."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from pulumi_azureml.operations.connection import Registry, Workspace, connect, place_of
from pulumi_azureml.operations.kind import Props, found
from pulumi_azureml.operations.kinds import OPERATIONS
from pulumi_azureml.operations.retry import confirmed
from pulumi_azureml.operations.versioned import VersionedOperations
from pulumi_azureml.planning.references import Reference, in_registry, is_curated, parse

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

_log = logging.getLogger(__name__)
# Azure's codes for a workspace, its resource group or its subscription that is not there (yet).
_NO_PLACE = frozenset({"ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound"})
_LATEST = "latest"
_Question = tuple[Workspace | Registry, str, str]

_lock = threading.Lock()
# The answers of this run. The engine starts a new provider process for each run, so these start empty.
_answers: dict[_Question, Future[str | None]] = {}
_unchecked: set[Workspace | Registry] = set()


def refusals(olds: Props, news: Props) -> dict[str, str]:
    """Say which assets of the input `outside` do not exist, with the file and the key of the reference.

    `outside` has the references to assets that no file defines: {kind, reference, at}. Unchanged content asks nothing,
    and a run asks for each asset once. If Azure cannot answer, a message says that nothing was checked: the update will
    tell.
    """
    outside = news.get("outside") or ()
    if not outside or _content(olds) == _content(news):
        return {}
    place = place_of(news)
    reasons = [(each["at"], _answer((place, each["kind"], each["reference"]))) for each in outside]
    wrong = [f"{at}: {reason}" for at, reason in reasons if reason is not None]
    return {"outside": "; ".join(wrong)} if wrong else {}


def _content(props: Props) -> tuple[object, object]:
    """Return what references belong to: the content of the asset and of the deployment inside it."""
    return props.get("content_hash"), (props.get("deployment") or {}).get("content_hash")


def _answer(question: _Question) -> str | None:
    with _lock:
        known = _answers.get(question)
        answer = _answers.setdefault(question, Future())
    if known is None:
        try:
            answer.set_result(_ask(*question))
        except BaseException as error:
            answer.set_exception(error)
            raise
    return answer.result()


def _ask(place: Workspace | Registry, kind: str, text: str) -> str | None:
    """Return why a reference cannot be used, or None if it can or if Azure does not say."""
    from pulumi_azureml.operations.sdk import AzureError, ClientAuthenticationError

    reference, shared = parse(text, folder=""), in_registry(text)
    if shared is not None:
        # azure-ai-ml itself looks up no label but `latest`, and sends others to the service.
        place, kind, reference = Registry(shared.registry), shared.kind, Reference(text, shared.name, shared.version)
    elif reference is None or reference.elsewhere or _is_for_the_service(place, kind, reference):
        return None
    if isinstance(place, Workspace) and None in (place.subscription_id, place.resource_group, place.name):
        _not_checked(place, "the workspace does not exist yet")
        return None
    try:
        if shared is not None and confirmed(lambda: found(lambda: connect(place))) is None:
            return f"'{text}' refers to registry '{place.name}', which does not exist. Correct its name"
        is_there = confirmed(lambda: _is_there(place, kind, reference))
    except AzureError as error:
        is_signed_in = not isinstance(error, ClientAuthenticationError)
        _not_checked(place, _reason(error), logging.WARNING if shared is not None and is_signed_in else logging.INFO)
        return None
    return None if is_there else f"'{text}' refers to {_missing(place, kind, reference)}"


def _is_for_the_service(place: Workspace | Registry, kind: str, reference: Reference) -> bool:
    """Whether azure-ai-ml sends a reference as it is, and finds it nowhere by its name."""
    if kind != "environment" or not is_curated(reference.name):
        return False
    return isinstance(place, Registry) or reference.label.lower() not in {"", _LATEST}


def _is_there(place: Workspace | Registry, kind: str, reference: Reference) -> bool | None:
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    ml = connect(place)  # it imports azure-ai-ml whole, which imports itself in circles too
    from azure.ai.ml.exceptions import MlException

    which = {"version": reference.version} if reference.version else {"label": reference.label.lower() or _LATEST}
    operations = OPERATIONS[kind]
    try:
        if isinstance(operations, VersionedOperations):
            getattr(ml, operations.collection).get(name=reference.name, **which)
        else:
            ml.jobs.get(reference.name)
    except ResourceNotFoundError as error:
        if error.__cause__ is not None:  # see `found`
            raise error.__cause__ from None
        if error.error is not None and error.error.code in _NO_PLACE:
            raise
        return None
    except MlException as error:
        if not _says_missing(error):
            raise
        return None
    return True


def _says_missing(error: BaseException | None) -> bool:
    """Whether azure-ai-ml found no asset with a label. It raises some of its errors again as plain text."""
    from azure.ai.ml.exceptions import ValidationErrorType

    while error is not None and getattr(error, "error_type", None) != ValidationErrorType.RESOURCE_NOT_FOUND:
        error = error.__context__
    return error is not None


def _missing(place: Workspace | Registry, kind: str, reference: Reference) -> str:
    """Say what is missing, and the fix."""
    if not isinstance(OPERATIONS[kind], VersionedOperations):
        return (
            f"job '{reference.name}', which {_holder(place)} does not have. Write the name of a job that ran there, or "
            "the path of a pipeline"
        )
    asset = f"{OPERATIONS[kind].title} '{reference.name}'"
    if reference.label.lower() not in {"", _LATEST}:
        return (
            f"the label '{reference.label}' of {asset}, and azure-ai-ml finds no label but `{_LATEST}` in "
            f"{_holder(place)}. Write `@{_LATEST}` or a version"
        )
    version = f" version {reference.version}" if reference.version else ""
    return (
        f"{asset}{version}, which no file defines and {_holder(place)} does not have. Correct the reference, or "
        "register the asset there first"
    )


def _not_checked(place: Workspace | Registry, reason: str, level: int = logging.INFO) -> None:
    with _lock:
        first = place not in _unchecked
        _unchecked.add(place)
    if first:
        _log.log(level, "references to assets of %s were not checked: %s", _holder(place), reason)


def _reason(error: AzureError) -> str:
    code = getattr(getattr(error, "error", None), "code", None)
    return "it does not exist yet" if code in _NO_PLACE else str(error.message).partition("\n")[0]


def _holder(place: Workspace | Registry) -> str:
    return f"{'registry' if isinstance(place, Registry) else 'workspace'} '{place.name}'"
