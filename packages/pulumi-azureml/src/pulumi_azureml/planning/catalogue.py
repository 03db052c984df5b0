"""Read the tree, resolve references, hash and validate. The result is a plan of every asset, or every problem."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import azure_check, collector, documents, schema
from pulumi_azureml.planning.assets import (
    Asset,
    AssetId,
    BuildPlan,
    Definition,
    Excluded,
    content_hash,
    get,
    put,
    short,
)
from pulumi_azureml.planning.deployments import SMOKE_REQUEST
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Source
from pulumi_azureml.planning.ignore import rules_for
from pulumi_azureml.planning.kind import Kind, draft_of
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.limits import check_values
from pulumi_azureml.planning.overriding import Overriding
from pulumi_azureml.planning.problems import CatalogueErrors, Problem, listing, suggestion
from pulumi_azureml.planning.references import is_inside, join, parse
from pulumi_azureml.planning.resolving import Resolver
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.smoke_requests import check_request
from pulumi_azureml.planning.spelling import Spelling
from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import SHORT, Tree, TreeError, TreeFile, TreeReader

_NAME_LINE = re.compile(r"^name:\s*['\"]?([A-Za-z0-9_.-]+)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Every asset of a tree. In `assets`, each comes after everything that it depends on.

    `excluded` are the assets that the stack leaves out. `warnings` name what may be a mistake.
    """

    assets: tuple[Asset, ...]
    excluded: tuple[Excluded, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __getitem__(self, key: tuple[str, str]) -> Asset:
        """Return the asset of a kind and name, such as `catalogue["component", "prep"]`."""
        return self._by_id[AssetId(*key)]

    def of(self, kind: str) -> tuple[Asset, ...]:
        """Return all assets of one kind."""
        return tuple(asset for asset in self.assets if asset.kind == kind)

    @functools.cached_property
    def _by_id(self) -> dict[AssetId, Asset]:
        return {asset.id: asset for asset in self.assets}


def load_catalogue(
    root: Path | str, settings: CatalogueSettings, also: Mapping[str, tuple[str, Definition]] | None = None
) -> Catalogue:
    """Plan every asset below `root`. The result depends only on the tree and the settings.

    `also` has more assets, which no file defines, as `plan_definitions` takes them.

    Raises:
        CatalogueErrors: all problems of the tree.
    """
    loading = _Loading(Path(root).absolute(), settings)
    # A pipeline's inputs get their types from the components, so components come first.
    paths = sorted(loading.find())
    for path in sorted(paths, key=lambda path: settings.folders.convention(path).startswith("pipelines/")):
        loading.read(path)
    loading.take_all(also or {})
    return loading.plan()


def plan_definitions(
    root: Path, definitions: Mapping[str, tuple[str, Definition]], settings: CatalogueSettings
) -> Catalogue:
    """Plan assets that no file defines, in the way that `load_catalogue` plans files.

    Args:
        root: the folder that local paths are relative to.
        definitions: a name in place of a file name (for messages and references) → kind, definition.
        settings: the settings of the stack.

    Raises:
        CatalogueErrors: all problems of the definitions.
    """
    loading = _Loading(root.absolute(), settings)
    loading.take_all(definitions)
    return loading.plan()


class _Loading:
    """One run of `load_catalogue`. Each step adds to `problems` and continues with the valid assets."""

    def __init__(self, root: Path, settings: CatalogueSettings) -> None:
        self.root = root
        self.settings = settings
        self.problems: list[Problem] = []
        self.overriding = Overriding(settings.overrides, settings.inputs, settings.config_keys)
        self.excluded: list[Excluded] = []
        self.drafts: dict[AssetId, Draft] = {}
        self.by_path: dict[str, AssetId] = {}
        self.broken: set[AssetId] = set()
        self.assets: dict[AssetId, Asset] = {}
        self.cache = StatCache.for_root(settings.cache_folder, root) if settings.cache_folder else StatCache(None)
        self.trees = TreeReader(root, self.cache)

    def plan(self) -> Catalogue:
        """Resolve, check and hash the drafts."""
        known = {*self.drafts, *self.broken, *(each.id for each in self.excluded)}
        self.problems += [*self.overriding.problems, *self.overriding.unknown(known)]
        reported = frozenset(problem.file for problem in self.problems)
        resolver = Resolver(self.root, self.settings, self.drafts, self.broken, self.by_path, reported)
        for draft in self.drafts.values():
            KINDS[draft.id.kind].relate(draft, self.drafts)
            resolver.resolve(draft)
            self._read_sources(draft)
        # A place that has a problem on its own gets no second one from what was read there.
        places = {(problem.file, problem.line) for problem in self.problems if problem.line}
        for draft in self.drafts.values():
            found = [*draft.problems, *KINDS[draft.id.kind].check(draft, self.drafts, self.settings)]
            self.problems += [each for each in found if (each.file, each.line) not in places]
            if draft.id.kind == "online_endpoint":
                self.problems += check_request(self.root, join(draft.document.folder, SMOKE_REQUEST))
        for id_ in self._order():
            self._build(self.drafts[id_])
        self.cache.save()
        if self.settings.check_with_azure:
            files = {problem.file for problem in self.problems}
            read = {draft.document.path: draft.document for draft in self.drafts.values()}
            self.problems += azure_check.check(self.assets.values(), files, read, self.root, self.settings.cache_folder)
        if self.problems:
            # A copy of an endpoint has the problems of its file too.
            raise CatalogueErrors(list(dict.fromkeys(self.problems)))
        dependants: dict[AssetId, list[AssetId]] = defaultdict(list)
        for asset in self.assets.values():
            for needed in asset.depends_on:
                dependants[needed].append(asset.id)
        return Catalogue(
            tuple(
                dataclasses.replace(each, dependants=tuple(sorted(dependants[each.id])))
                for each in self.assets.values()
            ),
            tuple(sorted(self.excluded)),
            tuple(sorted({each for draft in self.drafts.values() for each in draft.warnings})),
        )

    def find(self) -> Iterator[str]:
        """Yield every YAML file in the catalogue's folders that is not ignored. Ignored folders are not entered."""
        roots = [name for name in self.settings.folders.roots() if (self.root / name).is_dir()]
        open_folders = [(name, rules_for(self.root, name.removeprefix("."))) for name in roots]
        while open_folders:
            folder, rules = open_folders.pop()
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    path = entry.name if folder == "." else f"{folder}/{entry.name}"
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if not is_folder and not entry.name.endswith((".yml", ".yaml")):
                        continue
                    if rules.ignores(path, is_folder=is_folder):
                        continue
                    if is_folder and entry.name.endswith((".yml", ".yaml")):
                        fix = "rename the folder, or replace it with the file"
                        self.problems.append(Problem(path, 0, "is a folder with the name of a definition", fix))
                    if is_folder:
                        open_folders.append((path, rules.enter(self.root / path, path)))
                    else:
                        yield path

    def read(self, path: str) -> None:
        """Read one file into a draft, if a kind claims it."""
        convention = path.removesuffix(".yaml") + ".yml" if path.endswith(".yaml") else path
        convention = self.settings.folders.convention(convention)
        if not any(kind.claims(convention, Document(path, {}, {})) for kind in KINDS.values()):
            return
        if path.endswith(".yaml"):
            fix = f"rename it to {convention.rpartition('/')[2]}"
            self.problems.append(Problem(path, 0, "has the extension .yaml, so it would not be found", fix))
        document = documents.read(self.root, path)
        if isinstance(document, Problem):
            self.problems.append(document)
            self._note_broken(path, convention)
            return
        kind = next(kind for kind in KINDS.values() if kind.claims(convention, document))
        self.take(kind, document)
        for name in self.overriding.copies(AssetId(kind.name, kind.asset_name(document))):
            key = _endpoint_key(document)
            data = collector.of_copy(document.data, str(document.data[key]), name)
            self.take(kind, dataclasses.replace(document, data={**data, key: name}))

    def take_all(self, definitions: Mapping[str, tuple[str, Definition]]) -> None:
        """Make drafts of definitions that no file has, by their name and kind."""
        for path, (kind, definition) in definitions.items():
            self.take(KINDS[kind], Document(path, _copied(definition), {}))

    def take(self, kind: Kind, document: Document) -> None:
        """Make a draft of a document and check it on its own."""
        types, type_name = kind.types, kind.schema_type(document)
        definition = {str(key): _copied(value) for key, value in document.data.items() if key != "$schema"}
        spelling = Spelling(document, definition)
        spelling.by_schema(kind.name, type_name if types else "")
        document = dataclasses.replace(document, data={**document.data, **_copied(definition)})
        if types and type_name not in types:
            advice = suggestion(type_name, types, otherwise=f"use one of {listing(types)}")
            self.problems.append(document.problem(("type",), f"unknown {kind.title} type '{type_name}'", advice))
        else:
            self.problems += schema.check(kind.name, document, type_name=type_name if types else "")
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
        own = [*spelling.problems, *check_values(document, definition)]
        self.problems += own
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
        draft.is_broken = any(each.file == document.path for each in self.problems)
        draft.warnings += spelling.warnings
        draft.overridden = {".".join(map(str, keys)): each for keys, each in overridden.items()}
        other = self.drafts.get(draft.id)
        if other is not None:
            message = f"{draft.id} is already defined in {other.document.path}"
            self.problems.append(document.problem(("name",), message, "rename one of the two"))
            return
        if draft.is_shared:
            self._check_shared(draft, kind)
        kind.collect(draft, self.settings)
        draft.is_broken = draft.is_broken or bool(draft.problems)
        self.drafts[draft.id] = draft
        # A copy of an endpoint has the same file.
        self.by_path.setdefault(document.path, draft.id)

    def _component_inputs(self, folder: str, text: str) -> Mapping[str, Any]:
        """Return the inputs of a component that was read before, or none if no file defines it."""
        reference = parse(text, folder=folder)
        if reference is None:
            return {}
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
        elif self.settings.registry is None:
            option = self.settings.config_keys.name("registry", "`registry` in CatalogueSettings")
            fix = f"set {option}, or move the file out of the folder"
            draft.problem((), f"is in `{shared}/`, but the stack has no registry to share it through", fix)

    def _note_broken(self, path: str, convention: str) -> None:
        """Guess the asset that an invalid file would define, so that references to it are not reported too."""
        kind = next(kind for kind in KINDS.values() if kind.claims(convention, Document(path, {}, {})))
        text = (self.root / path).read_bytes().decode("utf-8", errors="replace") if (self.root / path).is_file() else ""
        match = _NAME_LINE.search(text)
        name = kind.asset_name(Document(path, {"name": match[1] if match else path.split("/")[-2]}, {}))
        self.broken.add(AssetId(kind.name, name))
        self.by_path[path] = AssetId(kind.name, name)

    def _read_sources(self, draft: Draft) -> None:
        for source in draft.sources:
            path = join(draft.document.folder, source.path)
            if not is_inside(path):
                draft.problem(source.keys, f"'{source.path}' is outside of the project", "move it into the project")
                continue
            try:
                draft.trees[source.keys] = self._tree(draft, source, path)
            except _FileError as error:
                self.problems.append(error.problem)
            except TreeError as error:
                what = f"'{source.path}'" if error.path == path else f"'{error.path}'"
                key = ".".join(map(str, source.keys))
                draft.problem(source.keys, f"{key}: {what} {_is(error.reason)}", error.fix)

    def _tree(self, draft: Draft, source: Source, path: str) -> Tree:
        own = draft.document.path
        tree = self.trees.read(path, without=own if path == "." or own.startswith(path + "/") else "")
        if source.wanted != "any" and tree.is_folder != (source.wanted == "folder"):
            raise TreeError(path, f"is not a {source.wanted}", f"give the path of a {source.wanted}")
        if tree.is_folder and not tree.files:
            raise TreeError(
                path, "has no files that are not ignored", "add the files, or look at .amlignore and .gitignore"
            )
        if draft.build is not None and all(file.path != draft.build.dockerfile for file in tree.files):
            raise TreeError(path, f"has no '{draft.build.dockerfile}'", "create it, or correct `dockerfile_path`")
        if source.is_yaml:
            content = documents.read(self.root, path)
            if isinstance(content, Problem):
                raise _FileError(content)
            only = TreeFile(tree.files[0].path, tree.files[0].source, content_hash({"yaml": content.data}))
            return Tree(path, (only,), is_folder=False)
        return tree

    def _order(self) -> Iterator[AssetId]:
        """Yield the assets, each after everything that it depends on. Report assets in a cycle instead."""
        graph = {id_: [need for need in _needs(self.drafts[id_]) if need in self.drafts] for id_ in sorted(self.drafts)}
        try:
            yield from list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            cycle: list[AssetId] = error.args[1]
            draft = self.drafts[min(cycle)]
            shown = " → ".join(str(id_) for id_ in reversed(cycle))
            self.problems.append(
                draft.document.problem((), f"the assets depend on each other: {shown}", "remove one reference")
            )

    def _build(self, draft: Draft) -> None:
        """Make the references exact, then hash. Skip an asset if something that it needs is missing."""
        whole = len(draft.trees) == len(draft.sources)
        if not whole or any(need not in self.assets for need in _needs(draft)):
            return
        kind, definition = KINDS[draft.id.kind], draft.definition
        for keys, target in draft.targets.items():
            if KINDS[target.kind].versioned:
                put(definition, keys, self.assets[target].reference)
        for keys, tree in draft.trees.items():
            put(definition, keys, tree.path)
        kind.finish(draft, self.assets)
        metadata = {key: definition[key] for key in sorted(kind.metadata & definition.keys())}
        content: dict[str, Any] = _copied({key: value for key, value in definition.items() if key not in metadata})
        for keys, tree in draft.trees.items():
            put(content, keys, tree.hash)
        content = {"kind": kind.hashed_as or kind.name, "definition": content}
        if draft.build is not None:
            content["image"] = {"built_by": "stack", "arguments": dict(draft.build.arguments)}
        hash_ = content_hash(content)
        version = draft.version or short(hash_)
        if kind.versioned:
            definition["version"] = version
        files: dict[str, str] = {}
        for tree in draft.trees.values():
            files |= tree.listing()
        self.assets[draft.id] = Asset(
            id=draft.id,
            azure_name=kind.azure_name(draft.id.name, self.settings),
            version=version,
            pinned=bool(draft.version),
            content_hash=hash_,
            path=draft.document.path,
            definition=definition,
            metadata=metadata,
            paths=tuple(draft.trees),
            files=dict(sorted(files.items())),
            trees=dict(draft.trees),
            depends_on=tuple(sorted(set(_needs(draft)))),
            build=self._build_plan(draft),
            waiting_for=draft.waiting_for,
            registry=self.settings.registry if draft.is_shared else None,
            serves=draft.serves,
            existing_model=draft.existing_model,
            overridden=dict(draft.overridden),
        )

    def _build_plan(self, draft: Draft) -> BuildPlan | None:
        if draft.build is None:
            return None
        build, tree = draft.build, draft.trees["build", "path"]
        inputs = {"files": tree.hash, "dockerfile": build.dockerfile, "arguments": dict(build.arguments)}
        return BuildPlan(
            context=get(draft.definition, ("build", "path")),
            dockerfile=build.dockerfile,
            arguments=build.arguments,
            repository=f"environments/{draft.id.name.lower()}",
            tag=content_hash(inputs)[:SHORT],
            login_server=build.login_server,
        )


class _FileError(Exception):
    """A file that an asset uses has a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _needs(draft: Draft) -> list[AssetId]:
    return [*draft.targets.values(), *draft.needs]


def _is(reason: str) -> str:
    return f"does not exist: {reason}" if reason.startswith("no such") else reason


def _copied(value: Any) -> Any:
    """Return a deep copy of plain data, so that YAML aliases do not share values that are replaced."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _endpoint_key(document: Document) -> str:
    """Return the key with the endpoint's name, in the file of an endpoint or of its deployment."""
    return "endpoint_name" if "endpoint_name" in document.data else "name"
