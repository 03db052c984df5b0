"""Read the tree, resolve references, hash and validate. The result is a plan of every asset, or every problem."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import azure_check, documents, spelling
from pulumi_azureml.planning.assets import (
    Asset,
    AssetId,
    BuildPlan,
    Definition,
    Excluded,
    Left,
    Outside,
    content_hash,
    get,
    put,
    short,
)
from pulumi_azureml.planning.collecting import Collector, copied
from pulumi_azureml.planning.deployments import SMOKE_REQUEST
from pulumi_azureml.planning.drafts import Draft, Source
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.problems import CatalogueErrors, Problem
from pulumi_azureml.planning.references import is_inside, join
from pulumi_azureml.planning.resolving import Resolver
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.planning.smoke_requests import check_request
from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import SHORT, ZIP, Tree, TreeError, TreeFile, TreeReader, unpacked


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Every asset of a tree. In `assets`, each comes after everything that it depends on.

    `excluded` are the assets that the stack leaves out. `left` are the files that look like assets and are not planned.
    `warnings` name what may be a mistake.
    """

    assets: tuple[Asset, ...]
    excluded: tuple[Excluded, ...] = ()
    left: tuple[Left, ...] = ()
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
    """Plan every asset below `root`. The result depends only on the tree, the settings and `control_flow.VARIABLE`.

    `also` has more assets, which no file defines, as `plan_definitions` takes them.

    Raises:
        CatalogueErrors: all problems of the tree.
    """
    collector = Collector(Path(root).absolute(), settings)
    collector.read_files()
    collector.take_all(also or {})
    return _Loading(collector).plan()


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
    collector = Collector(root.absolute(), settings)
    collector.take_all(definitions)
    return _Loading(collector).plan()


class _Loading:
    """Turns the drafts of a project into a plan. Each step adds to `problems` and continues with the valid assets."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.root = collector.root
        self.settings = collector.settings
        self.drafts = collector.drafts
        self.problems = [*collector.problems]
        self.assets: dict[AssetId, Asset] = {}
        cache = self.settings.cache_folder
        self.cache = StatCache.for_root(cache, self.root) if cache else StatCache(None)
        self.trees = TreeReader(self.root, self.cache)

    def plan(self) -> Catalogue:
        """Resolve, check and hash the drafts."""
        found = self.collector
        known = {*self.drafts, *found.broken, *(each.id for each in found.excluded)}
        self.problems += [*found.overriding.problems, *found.overriding.unknown(known)]
        reported = frozenset(problem.file for problem in self.problems)
        left = {each.path: each for each in found.left}
        resolver = Resolver(self.root, self.settings, self.drafts, found.broken, found.by_path, reported, left)
        for draft in self.drafts.values():
            KINDS[draft.id.kind].relate(draft, self.drafts)
            resolver.resolve(draft)
            self._read_sources(draft)
        for draft in self.drafts.values():
            KINDS[draft.id.kind].complete(draft, self.drafts)
        # A place that has a problem on its own gets no second one from what was read there.
        places = {(problem.file, problem.line) for problem in self.problems if problem.line}
        for draft in self.drafts.values():
            own = [*draft.problems, *KINDS[draft.id.kind].check(draft, self.drafts, self.settings)]
            self.problems += [each for each in own if (each.file, each.line) not in places]
            if draft.id.kind == "online_endpoint":
                self.problems += check_request(self.root, join(draft.document.folder, SMOKE_REQUEST))
        for id_ in self._order():
            self._build(self.drafts[id_])
        self.cache.save()
        if self.settings.check_with_azure:
            files = {problem.file for problem in self.problems}
            read = {draft.id: draft.document for draft in self.drafts.values()}
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
            tuple(sorted(found.excluded)),
            tuple(sorted(found.left)),
            tuple(sorted({*found.warnings, *(each for draft in self.drafts.values() for each in draft.warnings)})),
        )

    def _read_sources(self, draft: Draft) -> None:
        for source in draft.sources:
            path = join(draft.document.folder, source.path)
            if source.may_be_packed:
                path = unpacked(self.root, path)
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
        if source.dockerfile is not None:
            if all(file.path != source.dockerfile for file in tree.files):
                raise TreeError(path, f"has no '{source.dockerfile}'", "create it, or correct `dockerfile_path`")
            _check_docker_ignore(self.root, path)
        if source.described_by in {file.path for file in tree.files}:
            description = documents.read(self.root, f"{path}/{source.described_by}")
            if isinstance(description, Problem):
                raise _FileError(description)
        if source.is_yaml:
            content = documents.read(self.root, path)
            if isinstance(content, Problem):
                raise _FileError(content)
            draft.warnings += spelling.sent_as_read(content)
            only = TreeFile(tree.files[0].path, tree.files[0].source, content_hash({"yaml": content.data}))
            return Tree(path, (only,), is_folder=False, is_parsed=True)
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
        packed = {source.keys for source in draft.sources if source.may_be_packed and source.path.endswith(ZIP)}
        for keys, tree in draft.trees.items():
            put(definition, keys, f"{tree.path}{ZIP}" if keys in packed and tree.is_folder else tree.path)
        kind.finish(draft, self.assets)
        metadata = {key: definition[key] for key in sorted(kind.metadata & definition.keys())}
        content: dict[str, Any] = copied({key: value for key, value in definition.items() if key not in metadata})
        for keys, tree in draft.trees.items():
            put(content, keys, f"{tree.hash}{ZIP}" if keys in packed and tree.is_folder else tree.hash)
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
            path=draft.path,
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
            outside=(*(Outside(each.kind, each.text, each.keys) for each in draft.outside), *draft.inherited),
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


def _check_docker_ignore(root: Path, context: str) -> None:
    """Refuse a `.dockerignore` in which Docker finds no pattern: the image would get the files that it names."""
    path = f"{context}/.dockerignore"
    text = documents.read_bytes(root, path)
    if not isinstance(text, Problem) and b"\0" in text:
        raise _FileError(documents.not_utf8(path, "Docker would exclude none of the files that it names"))


def _needs(draft: Draft) -> list[AssetId]:
    return [*draft.targets.values(), *draft.needs]


def _is(reason: str) -> str:
    return f"does not exist: {reason}" if reason.startswith("no such") else reason
