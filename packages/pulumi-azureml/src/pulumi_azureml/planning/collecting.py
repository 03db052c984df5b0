"""Read the files that define assets, and what they refer to, into drafts."""

from __future__ import annotations

import dataclasses
import functools
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import collector, documents, naming, schema, steps
from pulumi_azureml.planning.assets import AssetId, Definition, Excluded, Left, content_hash, put
from pulumi_azureml.planning.deployments import of_endpoint
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Inline
from pulumi_azureml.planning.finding import find, is_definition
from pulumi_azureml.planning.kind import Kind, draft_of
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.limits import check_values
from pulumi_azureml.planning.overriding import Overriding
from pulumi_azureml.planning.problems import Problem, listing, suggestion, with_article
from pulumi_azureml.planning.recognising import Recognised, appears, datastore_of_others, may_define, recognise
from pulumi_azureml.planning.references import is_inside, join, parse
from pulumi_azureml.planning.runs import check_runs
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.spelling import Spelling

_NAME_LINE = re.compile(r"^name:\s*['\"]?([A-Za-z0-9_.-]+)", re.MULTILINE)
# A file can have one of these meanings as it is found, and the other one as it is referred to.
_JOB_OR_COMPONENT = frozenset({"pipeline_job", "component"})
_FILE_OF_ANOTHER = "a file of another asset"
_USERS = (frozenset({"pipeline_job"}), frozenset({"schedule", "online_deployment", "batch_deployment"}))
# The kind of deployment → the kind of its endpoint.
_ENDPOINTS = {"online_deployment": "online_endpoint", "batch_deployment": "batch_endpoint"}


class Collector:
    """Reads files into drafts. Each step adds to `problems` and continues with the valid files.

    A file belongs to the kind whose convention it follows, or else to the one that it looks like. A reference to a
    file that says neither gives it the kind that the reference expects.

    Attributes:
        drafts: the assets found so far.
        by_path: the asset that each file defines.
        broken: assets that a file would define if it could be read, and datastores that stay with `az ml`.
        excluded: assets that the stack leaves out.
        left: files that look like assets and are not planned.
    """

    def __init__(self, root: Path, settings: CatalogueSettings) -> None:
        self.root = root
        self.settings = settings
        self.overriding = Overriding(settings.overrides, settings.inputs, settings.config_keys)
        self.drafts: dict[AssetId, Draft] = {}
        self.by_path: dict[str, AssetId] = {}
        self.broken: set[AssetId] = set()
        self.excluded: list[Excluded] = []
        self.left: list[Left] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._inlines: dict[str, AssetId] = {}
        # Files without a name, which a reference gives them.
        self._nameless: list[tuple[Kind, Document]] = []
        # Files that define an asset which another file defines too, unless a reference gives them another name.
        self._doubles: dict[str, Problem] = {}

    def read_files(self) -> None:
        """Read every file of the configured folders."""
        unused: list[str] = []
        paths = sorted(find(self.root, self.settings.folders, self.problems, unused))
        option = self.settings.config_keys.name("files", "`files` of Folders")
        fix = "correct the pattern, or remove it"
        self.warnings += [Problem(option, 0, f"the pattern '{each}' selects no YAML file", fix) for each in unused]
        usual = {path: self._usual(path) for path in paths}
        conventions = {path: kind for path in paths if (kind := _claimed(usual[path])) is not None}
        read = {path: documents.read(self.root, path) for path in conventions}
        others = {path: found for path in paths if path not in conventions and (found := self._recognised(path))}
        # The file of a step is a component, whatever it says, and is read as one when its pipeline is.
        every = (*read.values(), *(document for _, document in others.values()))
        parts = {part for each in every if not isinstance(each, Problem) for part in _components(each)}
        # A pipeline's inputs get their types from the components, so components come first.
        for path in sorted(conventions, key=lambda path: (usual[path].startswith("pipelines/"), path in parts)):
            self._read(read[path], conventions[path])
        # A reference can give what is not certain another meaning, and another name, so that comes last.
        for path in sorted(others, key=lambda path: (*_order(*others[path], is_step=path in parts), path)):
            looks, document = others[path]
            self._take_recognised(self._unless_unmanageable(looks, document), document)
        nameless, self._nameless = self._nameless, []
        for kind, document in nameless:
            if document.path not in self.by_path:
                self._take(kind, document, is_last=True)
        self.problems += [problem for path, problem in self._doubles.items() if path not in self.by_path]

    def take_all(self, definitions: Mapping[str, tuple[str, Definition]]) -> None:
        """Make drafts of definitions that no file has, by their name and kind."""
        for path, (kind, definition) in definitions.items():
            self._take(KINDS[kind], Document(path, copied(definition), {}))

    def _usual(self, path: str) -> str:
        """Return the path that a file has by the conventions, whatever its ending and the project's folders are."""
        return self.settings.folders.convention(f"{posixpath.splitext(path)[0]}.yml" if is_definition(path) else path)

    def _read(self, document: Document | Problem, kind: Kind) -> None:
        """Take a file that follows a convention. If its `$schema` says otherwise, that counts."""
        if isinstance(document, Problem):
            self.problems.append(document)
            self._note_broken(document.file, kind)
            return
        found = recognise(document.data)
        if found is not None and found.is_certain:
            self._take_recognised(found, document)
        elif document.path not in self.by_path:
            self._take_with_copies(kind, document)

    def _recognised(self, path: str) -> tuple[Recognised, Document] | None:
        """Return what a file that follows no convention looks like. Return None if it does not look like an asset."""
        content = documents.read_bytes(self.root, path, from_outside=True)
        if isinstance(content, Problem):
            return None
        readable = documents.readable(content)
        if not may_define(readable):
            return None
        decoded = documents.decoded(path, content)
        document = documents.parse(path, readable)
        if isinstance(document, Problem):
            self._take_malformed(appears(readable), decoded if isinstance(decoded, Problem) else document)
            return None
        found = recognise(document.data)
        if found is None:
            return None
        wrong = decoded if isinstance(decoded, Problem) else documents.read_bytes(self.root, path)
        if isinstance(wrong, Problem):
            self.problems.append(wrong)
            if found.kind:
                self._note_broken(path, KINDS[found.kind])
            return None
        return found, document

    def _take_malformed(self, found: Recognised | None, wrong: Problem) -> None:
        """Report a file that cannot be read. It stays with `az ml` if only its keys look like those of an asset."""
        if found is not None and found.is_certain:
            self.problems.append(wrong)
            if found.kind:
                self._note_broken(wrong.file, KINDS[found.kind])
        elif found is not None:
            place = f"line {wrong.line}: " if wrong.line else ""
            what = f"a malformed file with the keys of {with_article(KINDS[found.kind].title)}"
            self.left.append(Left(wrong.file, what, f"{place}{wrong.message}; {wrong.fix}"))

    def _take_recognised(self, found: Recognised, document: Document) -> None:
        path = document.path
        if path in self.by_path:
            return
        whole = self._content_of(path)
        if whole is not None:
            self.left.append(Left(path, _FILE_OF_ANOTHER, f"it belongs to the files of {whole}"))
        elif not found.kind:
            self._leave(path, found)
        else:
            self._take_with_copies(KINDS[found.kind], document)

    def _unless_unmanageable(self, found: Recognised, document: Document) -> Recognised:
        """Return what a file that follows no convention defines, or that it stays with `az ml`, and why.

        `az ml` also takes what belongs to something that no file here defines. A file that follows a convention is
        refused instead.
        """
        if unmanaged := datastore_of_others(found.kind, document.data):
            self.broken.add(AssetId(found.kind, KINDS[found.kind].asset_name(document)))
            return unmanaged
        folders = self.settings.folders
        if found.kind and KINDS[found.kind].only_shared and not folders.is_shared(document.path):
            why = f"it belongs to a registry, whose assets are in `{folders.shared}/`"
            return Recognised(what=f"a {KINDS[found.kind].title}", why=why, is_certain=True)
        name = document.data.get("endpoint_name")
        if found.kind in _ENDPOINTS and isinstance(name, str):
            what = with_article(KINDS[found.kind].title)
            endpoints = [each.name for each in {*self.drafts, *self.broken} if each.kind == _ENDPOINTS[found.kind]]
            if name not in endpoints and "" not in endpoints and not suggestion(name, endpoints, otherwise=""):
                return Recognised(what=what, why=f"no file defines its endpoint '{name}'", is_certain=True)
            first = next(iter(of_endpoint(name, self.drafts, found.kind)), None)
            if first is not None and found.kind == "online_deployment":
                why = f"endpoint '{name}' has its deployment in {first.document.path}; a rollout makes the second one"
                return Recognised(what=what, why=why, is_certain=True)
        for path in _parts(document):
            left = self._left_at(path)
            if left is not None:
                why = f"it uses {path}, which is {left.what}"
                return Recognised(what=f"a {KINDS[found.kind].title}", why=why, is_certain=True)
        return found

    def _left_at(self, path: str) -> Left | None:
        """Return the file at a path if it stays with `az ml`."""
        if path not in self.by_path and is_inside(path) and (self.root / path).is_file():
            document = documents.read(self.root, path)
            found = None if isinstance(document, Problem) else recognise(document.data)
            if found is not None and not found.kind:
                self._leave(path, found)
        return next((left for left in self.left if left.path == path and left.what != _FILE_OF_ANOTHER), None)

    def _content_of(self, path: str) -> AssetId | None:
        """Return the asset whose code, build context or data has a file in a folder below the asset's own file."""
        folder = path.rpartition("/")[0]
        for draft in self.drafts.values():
            if folder == draft.document.folder:
                continue
            for source in draft.sources:
                whole = join(draft.document.folder, source.path)
                if whole == "." or path.startswith(f"{whole}/"):
                    return draft.id
        return None

    def _take_with_copies(self, kind: Kind, document: Document) -> None:
        self._take(kind, document)
        for name in self.overriding.copies(AssetId(kind.name, kind.asset_name(document))):
            key = _endpoint_key(document)
            data = collector.of_copy(document.data, str(document.data[key]), name)
            self._take(kind, dataclasses.replace(document, data={**data, key: name}))

    def _take(self, kind: Kind, document: Document, *, referred: bool = False, is_last: bool = False) -> None:
        """Make a draft of a document, of what it contains and refers to, and check each on its own.

        `referred`: a file refers to this one, so that it needs no name of its own. `is_last`: no file does.
        """
        document = dataclasses.replace(document, usual=self._usual(document.path))
        document = self._including(kind, kind.modernised(document))
        if kind.versioned and document.lines and "name" not in document.data and not (referred or is_last):
            self._nameless.append((kind, document))
            return
        types, type_name = kind.types, kind.schema_type(document)
        definition = {str(key): copied(value) for key, value in document.data.items() if key != "$schema"}
        spelling = Spelling(document, definition)
        spelling.by_schema(kind.name, type_name if types else "")
        document = dataclasses.replace(document, data={**document.data, **copied(definition)})
        warnings: list[Problem] = []
        if types and type_name not in types:
            advice = suggestion(type_name, types, otherwise=f"use one of {listing(types)}")
            self.problems.append(document.problem(("type",), f"unknown {kind.title} type '{type_name}'", advice))
        elif not (referred and not kind.asset_name(document)):
            problems, warnings = schema.check(kind.name, document, type_name=type_name if types else "")
            self.problems += problems
        if referred:
            document = self._named(kind, document)
            definition |= {"name": document.data["name"]} if "name" in document.data else {}
        id_ = AssetId(kind.name, kind.asset_name(document))
        option = self.overriding.exclusion(id_)
        if option is not None:
            self.excluded.append(Excluded(id_, document.path, option))
            return
        components = functools.partial(self._component_inputs, document.folder)
        overridden = self.overriding.apply(id_, document, definition, components)
        document = dataclasses.replace(document, set_by={keys: each.option for keys, each in overridden.items()})
        if "jobs" in definition:
            spelling.by_component(components, overridden)
            steps.name_data(definition, components)
        else:
            spelling.by_no_component()
        spelling.check_numbers()
        self.problems += [*spelling.problems, *check_values(document, definition), *check_runs(document, definition)]
        is_shared = self.settings.folders.is_shared(document.path)
        draft = draft_of(kind, document, definition, is_shared=is_shared)
        if not draft.id.name:
            if not any(each.file == document.path for each in self.problems):
                self.problems.append(document.problem(("name",), "'name' is missing or empty", "write a name"))
            self.broken.add(draft.id)
            self.by_path.setdefault(document.path, draft.id)
            return
        if draft.problems:
            self.broken.add(AssetId(kind.name, ""))  # its name or version is wrong
        draft.is_broken = any(_is_in_block(document, each) for each in self.problems)
        draft.warnings += [*warnings, *spelling.warnings]
        draft.overridden = {".".join(map(str, keys)): each for keys, each in overridden.items()}
        other = self.drafts.get(draft.id)
        if other is not None:
            message = f"{draft.id} is already defined in {other.document.path}"
            self._doubles[document.path] = document.problem(("name",), message, "rename one of the two")
            return
        self._add(kind, draft)

    def _including(self, kind: Kind, document: Document) -> Document:
        """Return a document with the content of the files that it names in place of a part of it."""
        for key in kind.included:
            text = document.data.get(key)
            reference = parse(text, folder=document.folder) if isinstance(text, str) else None
            path = reference.file if reference is not None else ""
            if not path or not is_inside(path) or not (self.root / path).is_file():
                continue
            part = documents.read(self.root, path)
            if isinstance(part, Problem):
                self.problems.append(part)
                continue
            document = document.including(key, part)
            self.by_path.setdefault(path, AssetId(kind.name, kind.asset_name(document)))
            self.left = [each for each in self.left if each.path != path]
        return document

    def _add(self, kind: Kind, draft: Draft) -> None:
        """Add a draft, and everything that it contains and refers to."""
        if draft.is_shared or kind.only_shared:
            self._check_shared(draft, kind)
        kind.collect(draft, self.settings)
        draft.is_broken = draft.is_broken or any(_is_in_block(draft.document, each) for each in draft.problems)
        self.drafts[draft.id] = draft
        if not draft.inline_at:
            # A copy of an endpoint has the same file.
            self.by_path.setdefault(draft.document.path, draft.id)
        for inline in draft.inlines:
            self._take_inline(draft, inline)
        for use in draft.uses:
            reference = parse(use.text, folder=draft.document.folder)
            if reference is not None and reference.file:
                self._refer(reference.file, KINDS[use.kind])

    def _refer(self, path: str, kind: Kind) -> None:
        """Read a file that another one refers to, unless it has been read."""
        known = self.by_path.get(path)
        if known is not None and ({known.kind, kind.name} != _JOB_OR_COMPONENT or self._has(path, kind)):
            return
        if not is_inside(path) or not (self.root / path).is_file():
            return
        document = documents.read(self.root, path)
        if isinstance(document, Problem):
            self.problems.append(document)
            self._note_broken(path, kind)
            return
        if known is not None and kind.name == "pipeline_job" and "jobs" not in document.data:
            return  # a schedule starts no other component than a pipeline
        found = recognise(document.data)
        if found is not None and not found.kind:
            self._leave(path, found)
            return
        if found is not None and found.kind != kind.name and {found.kind, kind.name} != _JOB_OR_COMPONENT:
            kind = KINDS[found.kind]
        self._take(kind, document, referred=True)

    def _has(self, path: str, kind: Kind) -> bool:
        """Whether a file defines an asset of a kind, beside the one of another kind that it defines."""
        return any(each.path == path and each.id.kind == kind.name for each in self.drafts.values())

    def _leave(self, path: str, found: Recognised) -> None:
        left = Left(path, found.what, found.why)
        if left not in self.left:
            self.left.append(left)

    def _named(self, kind: Kind, document: Document) -> Document:
        """Return a document with a name that no other asset has."""
        name = naming.valid(kind.name, kind.asset_name(document)) if kind.versioned else kind.asset_name(document)
        if name and name != kind.asset_name(document):
            document = dataclasses.replace(document, data={**document.data, "name": name})
        if name and AssetId(kind.name, name) not in self.drafts:
            return document
        wanted = naming.of_file(kind.name, document.path, name)
        free = naming.free(wanted, lambda each: AssetId(kind.name, each) in self.drafts)
        return dataclasses.replace(document, data={**document.data, "name": free})

    def _take_inline(self, owner: Draft, inline: Inline) -> None:
        """Make an asset of a definition inside another one. Equal definitions are one asset."""
        kind = KINDS[inline.kind]
        written = inline.definition.get("name")
        wanted = written if isinstance(written, str) else naming.of_part(kind.name, owner.id.name, inline.keys)
        data = {**copied(inline.definition), "name": wanted}
        document = owner.document.part(inline.keys, data)
        probe = draft_of(kind, document, copied(data), is_shared=owner.is_shared)
        kind.collect(probe, self.settings)
        content = copied({key: value for key, value in probe.definition.items() if key != "name"})
        for source in probe.sources:
            put(content, source.keys, join(document.folder, source.path))
        equal = content_hash({"kind": kind.name, "shared": owner.is_shared, "definition": content})
        if equal not in self._inlines:
            free = naming.free(wanted, lambda each: AssetId(kind.name, each) in self.drafts)
            document = dataclasses.replace(document, data={**data, "name": free})
            draft = draft_of(kind, document, copied(document.data), is_shared=owner.is_shared)
            draft.inline_at = (*owner.inline_at, *inline.keys)
            self._inlines[equal] = draft.id
            self._add(kind, draft)
        owner.targets[inline.keys] = self._inlines[equal]

    def _component_inputs(self, folder: str, text: str) -> Mapping[str, Any]:
        """Return the inputs of a component, or none if no file defines it."""
        reference = parse(text, folder=folder)
        if reference is None:
            return {}
        if reference.file:
            self._refer(reference.file, KINDS["component"])
        id_ = self.by_path.get(reference.file) or AssetId("component", reference.name)
        draft = self.drafts.get(id_)
        is_ours = draft is not None and reference.version in ("", draft.version)
        inputs = draft.definition.get("inputs") if draft is not None and is_ours else None
        return inputs if isinstance(inputs, dict) else {}

    def _check_shared(self, draft: Draft, kind: Kind) -> None:
        shared = self.settings.folders.shared
        if not kind.versioned:
            fix = f"move it out of `{shared}/`: environments, data, models and components can be shared"
            draft.problem((), f"{kind.title}s cannot be shared through a registry", fix)
        elif not draft.is_shared:
            draft.problem((), f"{kind.title}s are in registries only", f"move it below `{shared}/`")
        elif self.settings.registry is None:
            option = self.settings.config_keys.name("registry", "`registry` in CatalogueSettings")
            fix = f"set {option}, or move the file out of the folder"
            draft.problem((), f"is in `{shared}/`, but the stack has no registry to share it through", fix)

    def _note_broken(self, path: str, kind: Kind) -> None:
        """Guess the asset that an invalid file would define, so that references to it are not reported too."""
        text = documents.read_bytes(self.root, path, from_outside=True)
        match = None if isinstance(text, Problem) else _NAME_LINE.search(text.decode("utf-8", errors="replace"))
        name = kind.asset_name(
            Document(path, {"name": match[1] if match else path.rpartition("/")[0].rpartition("/")[2]}, {})
        )
        self.broken.add(AssetId(kind.name, name))
        self.by_path[path] = AssetId(kind.name, name)


def _is_in_block(document: Document, problem: Problem) -> bool:
    """Return whether a problem may concern the document's inputs or outputs: it is not in a plain top-level value."""
    if problem.file != document.path:
        return False
    above = [key for key in document.data if document.line(key) <= problem.line]
    return not above or isinstance(document.data[max(above, key=document.line)], dict | list)


def copied(value: Any) -> Any:
    """Return a deep copy of plain data, so that YAML aliases do not share values that are replaced."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def _claimed(path: str) -> Kind | None:
    """Return the kind whose convention a path follows."""
    return next((kind for kind in KINDS.values() if kind.claims(path)), None)


def _order(found: Recognised, document: Document, *, is_step: bool) -> tuple[bool, bool, int, bool]:
    """Return the place of a file among the others.

    A file whose name is not valid or whose meaning is not certain comes late. What is used comes before what uses it,
    but the file of a step comes after the jobs.
    """
    kind = KINDS.get(found.kind)
    name = kind.asset_name(document) if kind is not None and kind.versioned else ""
    rank = next((place for place, kinds in enumerate(_USERS, start=1) if found.kind in kinds), 0)
    is_job = found.kind == "pipeline_job"
    return naming.valid(found.kind, name) != name, not found.is_certain, rank, is_step and is_job


def _parts(document: Document) -> Iterator[str]:
    """Yield the files of the steps of a pipeline, or of the job that a schedule starts."""
    created = document.data.get("create_job")
    yield from _components(document)
    yield from _files(document, [created.get("job") if isinstance(created, dict) else created])


def _components(document: Document) -> Iterator[str]:
    """Yield the files of the steps of a pipeline, and of what else is a component."""
    jobs = document.data.get("jobs")
    steps = [step for step in jobs.values() if isinstance(step, dict)] if isinstance(jobs, dict) else []
    texts = [step.get(key) for step in steps for key in ("component", "trial")]
    yield from _files(document, [*texts, document.data.get("component")])


def _files(document: Document, texts: list[Any]) -> Iterator[str]:
    for text in texts:
        reference = parse(text, folder=document.folder) if isinstance(text, str) else None
        if reference is not None and reference.file:
            yield reference.file


def _endpoint_key(document: Document) -> str:
    """Return the key with the endpoint's name, in the file of an endpoint or of its deployment."""
    return "endpoint_name" if "endpoint_name" in document.data else "name"
