"""Find the assets that a draft refers to, or report the references that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from pulumi_azureml.planning import promoted
from pulumi_azureml.planning.assets import AssetId, Left
from pulumi_azureml.planning.drafts import DEFAULT_DATASTORES, Draft, Use, datastores
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.problems import suggestion, with_article
from pulumi_azureml.planning.references import InRegistry, in_registry, is_curated, parse
from pulumi_azureml.planning.settings import CatalogueSettings

# A name that is taken for a mistake differs from that of an asset of the tree in about two letters. The workspace may
# have any other.
_LETTERS = 2


@dataclass(frozen=True)
class Resolver:
    """Resolves the references of drafts. Each draft gets the problems with its references.

    Attributes:
        root: The folder that paths are relative to.
        settings: The settings of the stack.
        drafts: Every draft of the catalogue.
        broken: Assets that a file would define if it could be read.
        by_path: The asset that each file defines.
        reported: Files whose problems are reported already.
        left: Files that are not planned.
    """

    root: Path
    settings: CatalogueSettings
    drafts: Mapping[AssetId, Draft]
    broken: AbstractSet[AssetId]
    by_path: Mapping[str, AssetId]
    reported: AbstractSet[str]
    left: Mapping[str, Left]

    def resolve(self, draft: Draft) -> None:
        """Find the datastores and the assets that a draft uses."""
        draft.broken = self.broken
        self._find_datastores(draft)
        for use, target in self._find_assets(draft):
            if not promoted.choose(draft, use, target.name, self.drafts, self.settings):
                self._miss(draft, use, target)
        promoted.order(draft, self.drafts, self.settings)

    def _find_datastores(self, draft: Draft) -> None:
        """Order an asset after the datastores that it names, and report unknown datastores."""
        known = self.settings.datastores
        outside = DEFAULT_DATASTORES | {each.lower() for each in known or ()}
        for keys, name in datastores(draft.definition):
            id_ = AssetId("datastore", name)
            if id_ in self.drafts:
                draft.needs.append(id_)
            elif known is not None and id_ not in self.broken and name.lower() not in outside:
                ours = {each.name for each in {*self.drafts, *self.broken} if each.kind == "datastore"}
                hint = suggestion(name, ours | outside, otherwise="add a `datastore.yml` for it.")
                option = self.settings.config_keys.name("datastores", "`datastores` in CatalogueSettings")
                fix = f"{hint} If the workspace has it and no file defines it, add it to {option}"
                draft.problem(keys, f"unknown datastore '{name}'", fix)

    def _find_assets(self, draft: Draft) -> list[tuple[Use, AssetId]]:
        """Find the asset of each reference. Return the references without a version to assets that no file defines."""
        missed = []
        for use in draft.uses:
            reference = parse(use.text, folder=draft.document.folder)
            if reference is None:
                fix = "write `azureml:NAME`, `azureml:NAME:VERSION` or a path"
                draft.problem(use.keys, f"'{use.text}' is not a reference", fix)
            elif reference.file:
                self._resolve_file(draft, use, reference.file)
            elif (shared := in_registry(use.text)) is not None:
                self._resolve_shared(draft, use, shared)
            elif reference.name and reference.label.lower() in {"", "latest"}:
                target = AssetId(use.kind, reference.name)
                pinned = self.drafts[target].version if target in self.drafts else ""
                if target in self.drafts and (reference.is_floating or reference.version == pinned):
                    draft.targets[use.keys] = target
                    self._check_shared_use(draft, use, self.drafts[target])
                elif reference.is_floating and target not in self.broken:
                    missed.append((use, target))
                elif target not in self.broken and not use.may_wait:
                    draft.outside.append(use)
            elif reference.name and not use.may_wait:
                draft.outside.append(use)  # the labels of an asset are in the workspace
        return missed

    def _resolve_shared(self, draft: Draft, use: Use, shared: InRegistry) -> None:
        """Order an asset after the shared one that it names. A registry must have any other."""
        target = AssetId(shared.kind, shared.name)
        made = self.drafts.get(target)
        is_ours = made is not None and made.is_shared and shared.registry == self.settings.registry
        if made is not None and is_ours and (shared.label or shared.version == made.version):
            draft.needs.append(target)
        elif not use.may_wait:
            draft.outside.append(use)

    def _check_shared_use(self, draft: Draft, use: Use, target: Draft) -> None:
        if draft.is_shared and not target.is_shared:
            message = f"is shared, and {target.id}, which it uses, is not: other workspaces could not use it"
            draft.problem(use.keys, message, f"move {target.document.path} below `{self.settings.folders.shared}/` too")

    def _resolve_file(self, draft: Draft, use: Use, path: str) -> None:
        target = self.by_path.get(path)
        if target is not None and target.kind != use.kind:
            # The file of a step that is a job too, or of a scheduled job that is a component too.
            others = (each.id for each in self.drafts.values() if each.path == path and each.id.kind == use.kind)
            target = next(others, target)
        if target is not None and target.kind == use.kind:
            draft.targets[use.keys] = target
        elif target is not None:
            wanted, found = KINDS[use.kind].title, KINDS[target.kind].title
            message = f"'{use.text}' is {with_article(found)}, not {with_article(wanted)}"
            draft.problem(use.keys, message, f"refer to {with_article(wanted)}")
        elif not (self.root / path).is_file():
            known = [each for each, id_ in self.by_path.items() if id_.kind == use.kind]
            otherwise = f"create it, or write `azureml:NAME` of {with_article(KINDS[use.kind].title)}"
            draft.problem(use.keys, f"there is no file '{path}'", suggestion(path, known, otherwise=otherwise))
        elif path in self.left:
            left = self.left[path]
            fix = f"refer to a {KINDS[use.kind].title}, or leave this file to `az ml` too"
            draft.problem(use.keys, f"'{use.text}' is {left.what}, and {left.why}", fix)
        elif path not in self.reported:
            fix = (
                f"move it to where {with_article(KINDS[use.kind].title)} is found, so that it gets a name and a version"
            )
            draft.problem(use.keys, f"'{path}' is not part of the catalogue", fix)

    def _miss(self, draft: Draft, use: Use, target: AssetId) -> None:
        """Report a reference to an asset that is not in the tree, if it looks like a mistake.

        A model that an endpoint of the tree serves has no version yet. Any other reference is to an asset of the
        workspace, and stays as it is.
        """
        if use.may_wait:
            draft.waiting_for = f"a version of model '{target.name}'"
            return
        if AssetId(use.kind, "") in self.broken:
            return  # a file without a name, which is reported, may define it
        if use.kind == "environment" and is_curated(target.name):  # some projects define one with a similar name
            draft.outside.append(use)
            return
        known = [id_.name for id_ in {*self.drafts, *self.broken} if id_.kind == use.kind]
        is_served = use.kind == "model" and any(each.serves == target.name for each in self.drafts.values())
        otherwise = f"promote a version, or write one: `azureml:{target.name}:VERSION`" if is_served else ""
        likeness = max(0.6, 1 - _LETTERS / len(target.name))
        hint = suggestion(target.name, known, otherwise=otherwise, likeness=likeness)
        if hint:
            draft.problem(use.keys, f"unknown {KINDS[use.kind].title} '{target.name}'", hint)
        else:
            draft.outside.append(use)
