"""Files that are not YAML, not text, or more than an asset."""

from azureml_fixtures.bad_input.changes import (
    COMPONENT,
    DATA,
    DEPLOYMENT,
    ENDPOINT,
    ENVIRONMENT,
    PIPELINE,
    SCHEDULE,
    USED,
    Change,
    add,
    put,
    swap,
)  # fmt: skip
from azureml_fixtures.planned_project import Project

_SOUND = "name: more\ntype: uri_file\npath: ../days/days.csv\n"
_MORE = "ml/data/more/data.yml"


def _folder(path: str) -> Change:
    return lambda project: (project.root / path).mkdir(parents=True)


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join([*lines, "name: more", ""])


def _link(path: str, target: str) -> Change:
    def change(project: Project) -> None:
        file = project.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    return change


def _unreadable(path: str) -> Change:
    return lambda project: (project.root / path).chmod(0)


CASES: dict[str, Change] = {
    "empty": put(_MORE, ""),
    "only spaces": put(_MORE, "  \n\n"),
    "only a comment": put(_MORE, "# name: more\n"),
    "only a document marker": put(_MORE, "---\n"),
    "a list at the top": put(_MORE, "- name: more\n"),
    "a text at the top": put(_MORE, "more\n"),
    "a number at the top": put(_MORE, "12\n"),
    "null at the top": put(_MORE, "null\n"),
    "JSON that is cut off": put(_MORE, '{"name": "more", "path": \n'),
    "two documents": put(_MORE, f"{_SOUND}---\n{_SOUND}"),
    "UTF-16 with a byte order mark": put(_MORE, _SOUND.encode("utf-16")),
    "UTF-16 without a byte order mark": put(_MORE, _SOUND.encode("utf-16-le")),
    "UTF-32": put(_MORE, _SOUND.encode("utf-32")),
    "Latin-1": put(_MORE, "name: more\ndescription: Verspätung\n".encode("latin-1")),
    "binary": put(_MORE, bytes(range(256))),
    "a NUL": put(_MORE, "name: more\0\n"),
    "an escaped NUL": put(_MORE, 'name: more\ntype: uri_file\npath: "days\\0.csv"\n'),
    "an escape character": put(_MORE, "name: more\ndescription: \x1b[31mred\n"),
    "an escaped bell": put(_MORE, f'{_SOUND}description: "ring\\a"\n'),
    "half a surrogate pair": put(_MORE, f'{_SOUND}description: "\\ud800"\n'),
    "a control character in a key": put(_MORE, f'{_SOUND}tags: {{"a\\x01": b}}\n'),
    "a tab as indentation": put(_MORE, "name: more\ntags:\n\ta: b\n"),
    "a tab before a value in a list": put(COMPONENT, "name: prep\ninputs:\n  days:\n\t  type: uri_file\n"),
    "an unclosed bracket": put(_MORE, "name: more\ntags: [a, b\n"),
    "an unclosed quote": put(_MORE, "name: 'more\ntype: uri_file\n"),
    "a colon in a plain text": put(_MORE, f"{_SOUND}description: days: all of them\n"),
    "a plain text that starts with @": put(_MORE, f"{_SOUND}description: @latest\n"),
    "a plain text that starts with %": put(_MORE, f"{_SOUND}description: %latest\n"),
    "a plain text that starts with a backtick": put(_MORE, f"{_SOUND}description: `x`\n"),
    "an unquoted expression": put(_MORE, f"{_SOUND}description: {{{{x}}}}\n"),
    "a key twice": put(_MORE, f"{_SOUND}type: uri_folder\n"),
    "a key twice deep down": put(_MORE, f"{_SOUND}tags:\n  a: 1\n  a: 2\n"),
    "a key twice in other quotes": put(_MORE, f"{_SOUND}'type': uri_folder\n"),
    "a list as a key": put(_MORE, f"{_SOUND}? [a, b]\n: c\n"),
    "a mapping as a key": put(_MORE, f"{_SOUND}? {{a: b}}\n: c\n"),
    "an unknown anchor": put(_MORE, f"{_SOUND}tags: *tags\n"),
    "an anchor that contains itself": put(_MORE, f"{_SOUND}tags: &tags {{a: *tags}}\n"),
    "an alias bomb": put(_MORE, _bomb()),
    "a merge of a text": put(_MORE, f"{_SOUND}tags: {{<<: text}}\n"),
    "a merge of a list of texts": put(_MORE, f"{_SOUND}tags: {{<<: [a, b]}}\n"),
    "a Python object": put(_MORE, f"{_SOUND}description: !!python/object/apply:os.system [ls]\n"),
    "a tag of its own": put(_MORE, f"{_SOUND}description: !Ref x\n"),
    "binary data": put(_MORE, f"{_SOUND}description: !!binary aGVsbG8=\n"),
    "a set": put(_MORE, f"{_SOUND}tags: !!set {{a, b}}\n"),
    "an ordered mapping": put(_MORE, f"{_SOUND}tags: !!omap [a: b]\n"),
    "a number that is none": put(_MORE, f"{_SOUND}tags: {{a: !!int abc}}\n"),
    "a hundred levels": put(_MORE, f"{_SOUND}tags: {'{a: ' * 100}b{'}' * 100}\n"),
    "a hundred thousand levels": put(_MORE, f"{_SOUND}tags: {'[' * 100_000}{']' * 100_000}\n"),
    "six megabytes": put(_MORE, f"{_SOUND}description: {'x' * 6_000_000}\n"),
    "a hundred thousand keys": put(_MORE, f"{_SOUND}tags: [{'a,' * 100_000}]\n"),
    "a template": put(_MORE, "name: {{ cookiecutter.name }}\n"),
    "a merge conflict": put(_MORE, "<<<<<<< HEAD\nname: more\n=======\nname: most\n>>>>>>> branch\n"),
    "Windows line ends and a tab": put(_MORE, "name: more\r\ntags:\r\n\ta: b\r\n"),
    "a YAML directive of another version": put(_MORE, f"%YAML 3.0\n---\n{_SOUND}"),
    "a directive that is none": put(_MORE, f"%FOO\n{_SOUND}"),
    "a folder with the name of a definition": _folder("ml/data/more/data.yml"),
    "a folder with the name of a pipeline": _folder("pipelines/more.yml"),
    "a link to nothing": _link(_MORE, "nothing.yml"),
    "a link to itself": _link(_MORE, "data.yml"),
    "a link to outside of the project": _link(_MORE, "/etc/hostname"),
    "a link to a folder": _link(_MORE, "../days"),
    "a component without its end": put(USED, "name: train\ntype: command\ninputs: {rows: {type: uri_folder}\n"),
    "an environment that is a list": put(ENVIRONMENT, "- name: serving\n"),
    "a pipeline that is a list": put("pipelines/more.yml", "- type: pipeline\n"),
    "a schedule that is a text": put("pipelines/schedules/more.yml", "daily\n"),
    "an endpoint with a tab": put(ENDPOINT, "name: flights\n\tauth_mode: key\n"),
    "a deployment with a NUL": swap(DEPLOYMENT, "name: blue", "name: blue\0"),
    "a pipeline with a key twice": add(PIPELINE, "type: pipeline"),
    "a schedule with a control character": swap(SCHEDULE, "name: daily", "name: daily\x07"),
    "data with an unclosed quote": swap(DATA, "name: days", 'name: "days'),
}
