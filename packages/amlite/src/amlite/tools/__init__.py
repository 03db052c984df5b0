"""The programs that amlite needs beside its Python packages: found on this machine, or brought into amlite's cache.

One file a tool, each with a `TOOL`. `await TOOL.ensure()` says where the tool is and brings it first when it has to;
two that ask at once, in one process or in several, get the same one. `amlite tools` brings all of them.
"""
