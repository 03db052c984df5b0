"""The base class and the types that all groups of settings share."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Group(BaseModel):
    """A group of settings: strict types, no unknown keys, camelCase names."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


def fields(group: type[Any]) -> Mapping[str, FieldInfo]:
    """Return the fields by name, of a `Group` or of an arguments class of `pulumi_azureml`."""
    described: Mapping[str, FieldInfo] = group.__pydantic_fields__
    return described


def nested_group(annotation: Any) -> type[Any] | None:
    """Return the group in an annotation: the annotation itself, or the type in a list, map or optional."""
    if hasattr(annotation, "__pydantic_fields__"):
        return annotation  # type: ignore[no-any-return]
    return next((group for arg in get_args(annotation) if (group := nested_group(arg))), None)


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value):
        raise ValueError("must be a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    if len(set(value.replace("-", ""))) == 1:
        raise ValueError("is still the placeholder; replace it with the real GUID")
    return value.lower()


def _whole_number_as_text(value: object) -> object:
    """Convert a number to text. `pulumi config set --path` stores a version or a postfix such as `7` as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text_as_number(value: object) -> object:
    """Convert text to a number. `pulumi config set --path` stores 7 as a number, and 0.1 as text."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


Guid = Annotated[str, AfterValidator(_guid)]
NumericText = Annotated[str, BeforeValidator(_whole_number_as_text)]
Number = Annotated[float, BeforeValidator(_text_as_number)]
